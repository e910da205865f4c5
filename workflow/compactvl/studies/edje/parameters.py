"""Parameters by part, counted on the meta device: no weights are loaded or allocated."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from compactvl.nn.bert import BertShape
from compactvl.studies.edje.embedding import EmbeddingModel
from compactvl.studies.edje.model import JointModel, build_adapter
from compactvl.studies.edje.settings import Embedding, JointEncoder, LateInteraction


def count(*modules: nn.Module) -> int:
    """Number of parameters of some modules."""
    return sum(p.numel() for module in modules for p in module.parameters())


def count_parameters(settings: Any, peers: Mapping[str, Any]) -> Sequence[tuple[str, int]]:
    """(part, parameters) of a variant; empty for variants without weights of their own.

    The joint encoder's sizes are MiniLM-L12-H384's, with the variant's number of layers.
    """
    with torch.device("meta"):
        if isinstance(settings, Embedding):
            model = EmbeddingModel(settings)
            pooling = [("attention pooling", count(model.pooling))] if model.pooling is not None else []
            return [*pooling, ("image projection", count(model.image)), ("text projection", count(model.text))]
        if isinstance(settings, LateInteraction):
            shape = BertShape()
            return [
                ("adapter", count(build_adapter(settings, shape.width))),
                ("word weights", shape.vocabulary),
            ]
        if isinstance(settings, JointEncoder):
            return _joint_parts(build_unloaded(settings, peers))
    return []


def build_unloaded(settings: JointEncoder, peers: Mapping[str, Any]) -> JointModel:
    """A joint model with MiniLM's sizes and fresh weights, on the current default device."""
    recovery_dim = peers[settings.first_stage].dim if settings.objectives.recovery > 0 else None
    return JointModel(settings, BertShape(layers=settings.joint.layers), recovery_dim)


def _joint_parts(model: JointModel) -> list[tuple[str, int]]:
    parts = [
        ("adapter", count(model.adapter)),
        ("joint encoder", count(model.bert)),
        ("matching head", count(model.pooler, model.itm)),
    ]
    if model.masked_words is not None:
        parts.append(("masked-word head", count(model.masked_words)))
    if model.recovery is not None:
        parts.append(("recovery head", count(model.recovery)))
    return parts
