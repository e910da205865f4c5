"""CRAFT, the text detector of EasyOCR, out of a pinned package: features of one of its layers."""

from pathlib import Path

from compactvl.config.encoders import PackagedEncoder
from compactvl.vision.craft import Craft, CraftTokens
from compactvl.vision.loading import Loaded, chosen_preprocessing, packaged_weights

SIDE = 224
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def load(settings: PackagedEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    state, facts = packaged_weights(settings, weights_path, ("craft",))
    model = Craft()
    model.load_state_dict(state)
    choices = {"image_size": SIDE, "resize": "squash", "crop_fraction": 1.0, "interpolation": "bicubic", **IMAGENET}
    layer = settings.layer or "slice3"
    return CraftTokens(model, layer), chosen_preprocessing(settings, choices), {**facts, "layer": layer}
