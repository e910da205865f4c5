"""A timm model with random weights: a control."""

from pathlib import Path

import torch

from compactvl.config.encoders import RandomEncoder
from compactvl.vision.loading import Loaded
from compactvl.vision.timm_models import create, frozen
from compactvl.vision.weights import state_digest


def load(settings: RandomEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        state = create(settings.model, settings.image_size).state_dict()
    facts = {"model": settings.model, "weights_sha256": state_digest(state), "remark": "random weights, never trained"}
    return frozen(settings, state, settings.model, facts, f"{settings.model} of seed {settings.seed}", fused)
