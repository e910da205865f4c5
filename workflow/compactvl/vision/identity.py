"""Which encoder's tokens a run was trained on, and whether a store holds that encoder's."""

from pathlib import Path

from compactvl.errors import UserError
from compactvl.files import digest_of
from compactvl.records.record import read_manifest
from compactvl.vision.store import TokenStore

IDENTITY = ("loader", "model", "weights_sha256", "preprocessing", "layer", "grid", "quick_gelu")


def encoder_of(store: TokenStore) -> dict[str, str]:
    """Return name and digest of the encoder whose patch tokens a store holds.

    The digest covers what decides the tokens beyond rounding: model, weights, activation, layer, grid and preprocessing, not the number
    formats.
    """
    facts = store.manifest["encoder"]
    return {"name": facts["name"], "digest": digest_of({key: facts.get(key) for key in IDENTITY})}


def check_encoder(store: TokenStore, run: str | Path) -> None:
    """Check that a store's patch tokens are of the encoder a run was trained on, or of that name among several.

    Raises:
        UserError: they are of another one; the message names both.
    """
    manifest, found = read_manifest(run, "train"), encoder_of(store)
    trained = manifest.get("encoder") or manifest.get("encoders", {}).get(found["name"])
    if trained is not None and trained["digest"] != found["digest"]:
        raise UserError(
            f"{store.folder} holds tokens of encoder {found['name']} ({found['digest'][:8]}), {run} was trained on those of "
            f"{trained['name']} ({trained['digest'][:8]}); choose the store of that encoder"
        )
