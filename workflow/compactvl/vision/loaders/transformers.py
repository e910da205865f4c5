"""The vision tower of a SigLIP, SigLIP2, CLIP or DINOv2 model of transformers."""

from pathlib import Path

from compactvl.config.encoders import TransformersEncoder
from compactvl.vision.loading import Loaded, check_own_size, chosen_preprocessing
from compactvl.vision.transformers_models import build_transformers, preprocessing_choices
from compactvl.vision.weights import check_pin, state_digest


def load(settings: TransformersEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    model, processing = build_transformers(settings.model, settings.revision, "sdpa" if fused else "eager")
    choices = preprocessing_choices(processing, settings.model)
    check_own_size(settings, choices["image_size"])
    digest = state_digest(model.state_dict())
    check_pin(settings.sha256, digest, settings.model)
    facts = {"model": Path(settings.model).name, "revision": settings.revision, "weights_sha256": digest}
    return model, chosen_preprocessing(settings, choices), facts
