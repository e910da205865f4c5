"""EfficientNet-Lite0, 1 or 2 (ImageNet) out of a pinned package; the converted weights say which."""

from pathlib import Path

from compactvl.config.encoders import PackagedEncoder
from compactvl.vision.loading import Loaded
from compactvl.vision.timm_models import load_packaged

MODELS = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")


def load(settings: PackagedEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    return load_packaged(settings, weights_path, fused, MODELS)
