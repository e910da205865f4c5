"""DINOv2 ViT-S/14 out of a pinned package."""

from pathlib import Path

from compactvl.config.encoders import PackagedEncoder
from compactvl.vision.loading import Loaded
from compactvl.vision.timm_models import load_packaged

MODEL = "vit_small_patch14_dinov2"


def load(settings: PackagedEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    return load_packaged(settings, weights_path, fused, (MODEL,))
