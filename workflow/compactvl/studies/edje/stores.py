"""Which token stores a run can read: patch tokens of the encoder it was trained on, or its own compressed tokens."""

from pathlib import Path

from compactvl.errors import UserError
from compactvl.records.record import manifest_digest
from compactvl.studies.edje.model import JointModel
from compactvl.vision.identity import check_encoder
from compactvl.vision.store import TokenStore

COMPRESSED = "edje"
"""Loader that stores of compressed tokens name instead of a vision model's."""


def is_compressed(store: TokenStore) -> bool:
    """Whether a store holds a run's compressed tokens instead of a vision encoder's."""
    return store.manifest["encoder"].get("loader") == COMPRESSED


def check_store(store: TokenStore, run: str | Path, model: JointModel) -> None:
    """Check that a joint encoder's run can read a store: patch tokens it was trained on, or its own compressed ones.

    Raises:
        UserError: the store is of another encoder, of another run, or of another shape.
    """
    if is_compressed(store):
        made_by, own = store.manifest["encoder"]["run"], manifest_digest(run)
        if made_by != own:
            raise UserError(
                f"{store.folder} holds compressed tokens of another run ({made_by[:8]}) than {run} ({own[:8]}); "
                "compress the images again with this run"
            )
        return
    check_encoder(store, run)
    tokens, width = store.shape
    vision, local = model.settings.vision, model.settings.adapter.kind == "local"
    if width != vision.width or (local and tokens != vision.tokens):
        wanted = f"{vision.tokens} tokens" if local else "tokens"
        raise UserError(
            f"{store.folder} holds {tokens} tokens of width {width}, {run} reads {wanted} of width {vision.width}; "
            "choose the store of the encoder it was trained on"
        )
