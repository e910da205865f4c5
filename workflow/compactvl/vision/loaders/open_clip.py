"""The vision tower of an open_clip model."""

from pathlib import Path

from compactvl.config.encoders import OpenClipEncoder
from compactvl.errors import UserError
from compactvl.vision.loading import Loaded, check_own_size, chosen_preprocessing
from compactvl.vision.open_clip_models import build_open_clip
from compactvl.vision.weights import check_pin, state_digest

OPENAI = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "resize": "crop",
    "interpolation": "bicubic",
}


def load(settings: OpenClipEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    if Path(settings.checkpoint).is_file() and (missing := [key for key in OPENAI if getattr(settings, key) is None]):
        raise UserError(
            f"{settings.checkpoint} does not say how {settings.model}'s images were prepared; set {', '.join(missing)} (for "
            f"OpenAI's weights and what is fine-tuned from them: {', '.join(f'{key} {OPENAI[key]}' for key in missing)})"
        )
    model, choices = build_open_clip(settings.model, settings.checkpoint, settings.quick_gelu)
    check_own_size(settings, choices["image_size"])
    digest = state_digest(model.state_dict())
    check_pin(settings.sha256, digest, settings.model)
    facts = {"model": settings.model, "weights_sha256": digest, "quick_gelu": settings.quick_gelu}
    return model, chosen_preprocessing(settings, choices), facts
