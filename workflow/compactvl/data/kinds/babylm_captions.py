"""BabyLM's captions: JSON lists of strings, their image vectors in ``.npy`` files row by row.

    cc_3M_captions.json          cc_3M_dino_v2_states_1of2.npy, cc_3M_dino_v2_states_2of2.npy (one after the other)
    local_narr_captions.json     local_narr_dino_v2_states.npy

The split is a seeded hash of the caption's text, so that equal captions are in the same split. Which rows show the
same image is not known; an image with several captions may be in several splits.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from compactvl.data.babylm import GET_BABYLM, check_stems
from compactvl.data.curate import Curation
from compactvl.data.kind import Count, DataKind, FilePath
from compactvl.data.ratios import SplitRatios
from compactvl.data.user_files import one_line, read_user_json
from compactvl.errors import UserError


class Settings(DataKind):
    """Caption lists with precomputed image vectors, as BabyLM's multimodal data."""

    holds = frozenset({"captions"})

    kind: Literal["babylm_captions"] = Field(description="BabyLM's captions with image vectors.")
    captions: tuple[FilePath, ...] = Field(min_length=1, description="JSON files, each one list of captions.")
    vectors: tuple[FilePath | tuple[FilePath, ...], ...] = Field(
        min_length=1,
        description="For each caption file its .npy file (captions, 768), or the list of files it is cut into.",
    )
    dim: Count = Field(768, description="Length of an image vector.")
    ratios: SplitRatios = Field(default_factory=SplitRatios, description="Share of the captions a split.")
    seed: int = Field(42, ge=0, description="Seed of the split by caption.")
    tagger: str | None = Field(
        None,
        description="Name or path of a spaCy pipeline that tags the words of held-out captions; null gives no tags.",
    )
    how_to_get: str = Field(
        GET_BABYLM, min_length=1, description="Where the files come from; shown when one is missing."
    )

    @model_validator(mode="after")
    def _lengths(self) -> "Settings":
        if len(self.captions) != len(self.vectors):
            raise ValueError(
                f"captions has {len(self.captions)} files and vectors {len(self.vectors)}; give one entry of vectors "
                "for each file of captions (a list where its vectors are cut into several files)"
            )
        return self

    @property
    def parts(self) -> list[tuple[str, ...]]:
        """For each caption file the files its vectors are cut into."""
        return [(entry,) if isinstance(entry, str) else entry for entry in self.vectors]

    def own_files(self) -> list[tuple[str, str]]:
        """Return the caption files and the vector files."""
        vectors = [("vectors", path) for entry in self.parts for path in entry]
        return [*(("captions", path) for path in self.captions), *vectors]

    def curate(self, job: Curation) -> None:
        """Make a set of captions whose images are rows of vector files.

        Items: item_id (``<captions file>-<row>``), split, image_id, caption, file (index into ``captions``), row, pos
        ("" of training captions, and of all without a tagger).
        The manifest's ``vectors`` lists the vector files (data/vector_file.py).

        Raises:
            UserError: a file is wrong, or two caption files have one name.
        """
        import pandas as pd

        from compactvl.data.audit import audit_texts, caseless
        from compactvl.data.tagger import load_tagger
        from compactvl.data.vector_file import row_ids, vector_facts

        check_stems(Path(path) for path in self.captions)
        tag = load_tagger(self.tagger, f"{job.place}.tagger")
        facts = vector_facts([part for entry in self.parts for part in entry], self.dim)
        by_path = {fact["path"]: fact for fact in facts}
        tables = []
        for number, (path, entry) in enumerate(zip(self.captions, self.parts, strict=True)):
            captions = read_captions(Path(path))
            splits = [self.ratios.split_of(caseless(text), self.seed) for text in captions]
            columns = {
                "item_id": [f"{Path(path).stem}-{row}" for row in range(len(captions))],
                "split": splits,
                "image_id": row_ids([by_path[part] for part in entry], len(captions), f"{path} has {{}} captions"),
                "caption": captions,
                "file": number,
                "row": range(len(captions)),
                "pos": ["" if split == "train" else tag(text) for split, text in zip(splits, captions, strict=True)],
            }
            tables.append(pd.DataFrame(columns))
        items = pd.concat(tables, ignore_index=True)
        job.write(self, items, text_only=True, vectors=facts, audit=audit_texts(job.name, items, ("caption",)))


def read_captions(path: Path) -> list[str]:
    """Read a JSON list of captions; words end up separated by single spaces.

    Raises:
        UserError: not a list of strings, an empty one, or one with a NUL character; names the row.
    """
    body = read_user_json(path)
    if not isinstance(body, list) or not body:
        raise UserError(f"{path} is not a JSON list of captions; give BabyLM's file as it is")
    captions = []
    for row, caption in enumerate(body):
        if not isinstance(caption, str) or not caption.strip():
            raise UserError(f"{path} row {row}: {caption!r} is not a caption; every row has one, as its vector does")
        captions.append(one_line(caption, f"{path} row {row}"))
    return captions
