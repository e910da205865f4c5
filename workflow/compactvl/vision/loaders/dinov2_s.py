"""DINOv2 ViT-S/14 out of a pinned package."""

from pathlib import Path

from compactvl.config.encoders import PackagedEncoder
from compactvl.vision.loading import Loaded, packaged_weights
from compactvl.vision.timm_models import frozen

MODEL = "vit_small_patch14_dinov2"


def load(settings: PackagedEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    state, facts = packaged_weights(settings, weights_path, (MODEL,))
    return frozen(settings, state, MODEL, facts, str(weights_path), fused, crop_fraction=1.0)
