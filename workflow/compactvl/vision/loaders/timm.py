"""Any timm model by name, with weights of a file or of the Hub."""

from pathlib import Path

from compactvl.config.encoders import TimmEncoder
from compactvl.vision.loading import Loaded
from compactvl.vision.timm_models import frozen
from compactvl.vision.timm_weights import read_pretrained


def load(settings: TimmEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    """See :func:`compactvl.vision.registry.load_encoder`."""
    state, digest, where = read_pretrained(settings)
    facts = {"model": settings.model, "revision": settings.revision, "weights_sha256": digest}
    return frozen(settings, state, settings.model, facts, where, fused)
