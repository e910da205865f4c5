"""Parameters by part, counted on the meta device: no weights are loaded or allocated."""

from collections.abc import Sequence

import torch
from torch import nn

from compactvl.studies.base import Peers
from compactvl.studies.essen.build import build
from compactvl.studies.essen.model import TwoTower
from compactvl.studies.essen.settings import Encoder


def count_parameters(settings: Encoder, peers: Peers) -> Sequence[tuple[str, int]]:
    """(part, parameters) of a variant."""
    with torch.device("meta"):
        model = build(settings)
    encoder = model.encoder
    if isinstance(encoder, TwoTower):
        parts = {
            "text tower": [encoder.text],
            "vision tower": [encoder.vision],
            "cross-modal layers": [encoder.layers],
            "projections and modality": [encoder.text_in, encoder.image_in, encoder.modality],
        }
    else:
        parts = {"one tower": [encoder]}
    parts |= {"poolers": [model.text_pooler, model.image_pooler], "head": [model.head]}
    parts |= {"masked-word head": [model.masked_words], "matching head": [model.matching]}
    return [(name, sum(map(count, own))) for name, own in parts.items() if own[0] is not None]


def count(module: nn.Module) -> int:
    """Number of parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())
