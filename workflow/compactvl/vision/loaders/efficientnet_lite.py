"""EfficientNet-Lite0, 1 or 2 (ImageNet) out of a pinned package; the converted weights say which."""

from pathlib import Path

from compactvl.config.encoders import PackagedEncoder
from compactvl.vision.loading import Loaded, packaged_weights
from compactvl.vision.timm_models import frozen

MODELS = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")


def load(settings: PackagedEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    state, facts = packaged_weights(settings, weights_path, MODELS)
    facts |= {"layer": settings.layer} if settings.layer else {}
    headless = settings.layer == "blocks"
    return frozen(settings, state, facts["model"], facts, str(weights_path), fused, 1.0, headless)
