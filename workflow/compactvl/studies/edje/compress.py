"""Store a run's compressed tokens: the offline end of EDJE."""

from collections.abc import Sequence
from pathlib import Path

from compactvl.errors import UserError
from compactvl.files import read_json
from compactvl.progress import Progress
from compactvl.records.record import MANIFEST, Made, hashes, manifest_digest
from compactvl.studies.edje.joint import open_joint
from compactvl.studies.edje.model import compress_all
from compactvl.studies.edje.stores import COMPRESSED, check_store, is_compressed
from compactvl.vision.store import TokenStore, TokenWriter

BATCH = 256


def compress_store(
    run: str | Path,
    tokens: str | Path,
    folder: str | Path,
    storage: str = "fp16",
    image_ids: Sequence[str] | None = None,
    code: str = "",
) -> None:
    """Write the compressed tokens of a store's images: m × width numbers an image.

    Args:
        run: a joint encoder's run.
        tokens: store of its encoder's patch tokens.
        folder: the new store; a folder that holds anything but such a store is left alone.
        storage: ``fp16``, ``int8`` or ``fp8``.
        image_ids: which images; default: all.
        code: digest of the source code, for the record of a store that is kept.

    Raises:
        UserError: run or store are missing or corrupt or do not belong together, or ``folder`` holds something else.
    """
    _check_target(Path(folder), Path(tokens))
    made = Made("encode", code, inputs=hashes(Path(folder) / MANIFEST for folder in (run, tokens)))
    model, store = open_joint(run), TokenStore.open(tokens)
    if is_compressed(store):
        raise UserError(f"{tokens} holds compressed tokens already; give the store of the encoder's patch tokens")
    check_store(store, run, model)
    images = dict(zip(store.index["image_id"], store.index["image_sha256"], strict=True))
    if image_ids is not None:
        images = {image_id: images[image_id] for image_id in image_ids}
    facts = {"name": "edje", "loader": COMPRESSED, "run": manifest_digest(run), "precision": model.settings.precision}
    writer = TokenWriter(
        folder,
        shape=(model.tokens, model.bert.shape.width),
        pooled_dim=store.pooled_dim,
        storage=storage,
        encoder_facts=facts,
        images=images,
        batch=BATCH,
        dataset=store.manifest["dataset"],
    )
    with writer, Progress(len(writer.missing), "image", "compress") as progress:
        for start in range(0, len(writer.missing), BATCH):
            ids = writer.missing[start : start + BATCH]
            vision = compress_all(model, store, ids)
            writer.append(ids, vision.numpy(), store.pooled(ids))
            progress.update(len(ids))
    writer.finish(made, str(model.device))


def _check_target(folder: Path, tokens: Path) -> None:
    """Raise ``UserError`` if writing a store into ``folder`` would destroy something else."""
    if folder.resolve() == tokens.resolve():
        raise UserError(f"{folder} is the store that is read; choose another folder for the compressed tokens")
    if not (folder / MANIFEST).is_file():
        return
    body = read_json(folder / MANIFEST)
    encoder = body.get("encoder") if isinstance(body, dict) else None
    if not isinstance(encoder, dict) or encoder.get("loader") != COMPRESSED:
        raise UserError(f"{folder} holds something else than compressed tokens; choose another folder")
