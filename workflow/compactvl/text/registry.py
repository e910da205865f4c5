"""Text encoders by their settings."""

from pathlib import Path
from typing import Any

from compactvl.config.texts import SentenceBert, TextEncoderSettings
from compactvl.errors import UserError
from compactvl.files import sha256_file


def load_text_encoder(
    name: str, settings: TextEncoderSettings, weights: str | Path | None
) -> tuple[Any, dict[str, Any]]:
    """Load a text encoder; a packaged one from its converted ``weights``.

    Returns:
        The encoder, whose ``encode(texts, label=...)`` gives float32 (N, D) of unit length, and what identifies it.

    Raises:
        UserError: weights are needed and not given, or cannot be loaded.
    """
    facts = {"name": name, "loader": settings.loader, "precision": settings.precision, "canonical": settings.canonical}
    if isinstance(settings, SentenceBert):
        from compactvl.text.sentences import SentenceEncoder

        if weights is None:
            path = f"cache/weights/{settings.weights}.safetensors"
            raise UserError(f"text_encoders.{name}: give its converted weights: --weights {path}")
        encoder = SentenceEncoder(weights, settings.precision, settings.canonical)
        return encoder, {**facts, "weights": sha256_file(weights)}
    from compactvl.text.towers import TextTower
    from compactvl.vision.weights import state_digest

    tower = TextTower(settings.model, settings.revision, settings.precision, settings.canonical)
    return tower, {**facts, "model": Path(settings.model).name, "weights": state_digest(tower.model.state_dict())}
