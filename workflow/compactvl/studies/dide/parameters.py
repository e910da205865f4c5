"""Parameters by part, counted on the meta device: no weights are loaded or allocated."""

from collections.abc import Sequence

import torch
from torch import nn

from compactvl.studies.base import Peers
from compactvl.studies.dide.model import DualEncoder, FusionEncoder
from compactvl.studies.dide.settings import Encoder, Fusion, FusionPairs


def build_unloaded(settings: Encoder) -> FusionEncoder | DualEncoder:
    """A variant's model with fresh weights, on the current default device."""
    form = FusionEncoder if isinstance(settings, FusionPairs | Fusion) else DualEncoder
    return form(settings, getattr(settings, "answers", None))


def count_parameters(settings: Encoder, peers: Peers) -> Sequence[tuple[str, int]]:
    """(part, parameters) of a variant."""
    with torch.device("meta"):
        model = build_unloaded(settings)
    if isinstance(model, FusionEncoder):
        parts = {"fusion encoder": model.stack}
    else:
        parts = {"text tower": model.text, "image tower": model.image, "shallow fusion": model.fusion}
    parts |= {"head": model.head, "matching head": model.matching, "masked-word head": model.masked_words}
    return [(name, count(part)) for name, part in parts.items() if part is not None]


def count(module: nn.Module) -> int:
    """Number of parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())
