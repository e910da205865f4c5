"""The vision tower of an open_clip model."""

from pathlib import Path

from compactvl.config.encoders import OpenClipEncoder
from compactvl.vision.loading import Loaded, check_own_size, chosen_preprocessing
from compactvl.vision.open_clip_models import build_open_clip
from compactvl.vision.weights import check_pin, state_digest


def load(settings: OpenClipEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    model, choices = build_open_clip(settings.model, settings.checkpoint, settings.quick_gelu)
    check_own_size(settings, choices["image_size"])
    digest = state_digest(model.state_dict())
    check_pin(settings.sha256, digest, settings.model)
    facts = {"model": settings.model, "weights_sha256": digest, "quick_gelu": settings.quick_gelu}
    return model, chosen_preprocessing(settings, choices), facts
