"""BabyLM's captions: JSON lists of strings, their image vectors in ``.npy`` files row by row.

    cc_3M_captions.json          cc_3M_dino_v2_states_1of2.npy, cc_3M_dino_v2_states_2of2.npy (one after the other)
    local_narr_captions.json     local_narr_dino_v2_states.npy

The split is a seeded hash of the caption's text, so that equal captions are in the same split. Which rows show the
same image is not known; an image with several captions may be in several splits.
"""

import time
from pathlib import Path

import pandas as pd

from compactvl.config.text_datasets import BabylmCaptionsSettings
from compactvl.data.canonical import write_set
from compactvl.data.folder import split_by_ratio
from compactvl.data.tagger import load_tagger
from compactvl.data.text_audit import audit_texts
from compactvl.data.user_json import read_user_json
from compactvl.data.vector_file import vector_facts, vector_id
from compactvl.errors import UserError
from compactvl.files import sha256_file


def curate_babylm_captions(name: str, settings: BabylmCaptionsSettings, folder: Path) -> None:
    """Make a set of captions whose images are rows of vector files.

    Items: item_id (``<captions file>-<row>``), split, image_id, caption, file (index into ``captions``), row, pos ("" of
    training captions, and of all without a tagger).
    The manifest's ``vectors`` lists the vector files (data/vector_file.py).

    Raises:
        UserError: a missing file (says where to get it), not a list of strings, an empty caption, a vector file of
            another form, or as many captions as vectors not given (names both files).
    """
    started = time.monotonic()
    parts = [(entry,) if isinstance(entry, str) else entry for entry in settings.vectors]
    for path in (*settings.captions, *(part for entry in parts for part in entry)):
        if not Path(path).is_file():
            raise UserError(f"{path} is missing (datasets.{name}). {settings.how_to_get}")
    tagger = load_tagger(settings.tagger, f"datasets.{name}.tagger") if settings.tagger is not None else None
    facts = vector_facts([part for entry in parts for part in entry], settings.dim)
    by_path = {fact["path"]: fact for fact in facts}
    tables = []
    for number, (path, entry) in enumerate(zip(settings.captions, parts, strict=True)):
        captions = read_captions(Path(path))
        own = [by_path[str(part)] for part in entry]
        vectors = sum(fact["rows"] for fact in own)
        if len(captions) != vectors:
            files = " + ".join(fact["path"] for fact in own)
            raise UserError(
                f"{path} has {len(captions)} captions and {files} has {vectors} vectors; they must match row by row"
            )
        stem = Path(path).stem
        tables.append(
            pd.DataFrame(
                {
                    "item_id": [f"{stem}-{row}" for row in range(len(captions))],
                    "split": [split_by_ratio(text.lower(), settings.ratios, settings.seed) for text in captions],
                    "image_id": [vector_id(fact["stem"], row) for fact in own for row in range(fact["rows"])],
                    "caption": captions,
                    "file": number,
                    "row": range(len(captions)),
                    "pos": "",
                }
            )
        )
    items = pd.concat(tables, ignore_index=True)
    if tagger is not None:
        held_out = items["split"] != "train"
        items.loc[held_out, "pos"] = [tagger(text) for text in items.loc[held_out, "caption"]]
    inputs = {Path(path).name: sha256_file(path) for path in settings.captions}
    inputs |= {Path(fact["path"]).name: fact["sha256"] for fact in facts}
    write_set(
        folder, name, (), items, settings=settings.model_dump(mode="json"), inputs=inputs, started=started,
        text_only=True, vectors=facts, audit=audit_texts(name, items, ("caption",)),
    )  # fmt: skip


def read_captions(path: Path) -> list[str]:
    """Read a JSON list of captions; words end up separated by single spaces.

    Raises:
        UserError: not a list of strings, or an empty one; names the row.
    """
    body = read_user_json(path)
    if not isinstance(body, list) or not body:
        raise UserError(f"{path} is not a JSON list of captions; give BabyLM's file as it is")
    captions = []
    for row, caption in enumerate(body):
        if not isinstance(caption, str) or not caption.strip():
            raise UserError(f"{path} row {row}: {caption!r} is not a caption; every row has one, as its vector does")
        captions.append(" ".join(caption.split()))
    return captions
