"""Which token stores a run can read: patch tokens of the encoder it was trained on, or its own compressed tokens."""

from pathlib import Path

from compactvl.errors import UserError
from compactvl.files import digest_of
from compactvl.records.record import manifest_digest, read_manifest
from compactvl.studies.edje.model import JointModel
from compactvl.vision.store import TokenStore

COMPRESSED = "edje"
"""Loader that stores of compressed tokens name instead of a vision model's."""
IDENTITY = ("loader", "model", "weights_sha256", "preprocessing")


def encoder_of(store: TokenStore) -> dict[str, str]:
    """Return name and digest of the encoder whose patch tokens a store holds.

    The digest covers what decides the tokens beyond rounding: model, weights and preprocessing, not the number formats.
    """
    facts = store.manifest["encoder"]
    return {"name": facts["name"], "digest": digest_of({key: facts.get(key) for key in IDENTITY})}


def is_compressed(store: TokenStore) -> bool:
    """Whether a store holds a run's compressed tokens instead of a vision encoder's."""
    return store.manifest["encoder"].get("loader") == COMPRESSED


def check_encoder(store: TokenStore, run: str | Path) -> None:
    """Check that a store's patch tokens are of the encoder a run was trained on.

    Raises:
        UserError: they are of another one; the message names both.
    """
    trained, found = read_manifest(run, "train").get("encoder"), encoder_of(store)
    if trained is not None and trained["digest"] != found["digest"]:
        raise UserError(
            f"{store.folder} holds tokens of encoder {found['name']} ({found['digest'][:8]}), {run} was trained on those of "
            f"{trained['name']} ({trained['digest'][:8]}); choose the store of that encoder"
        )


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
