"""Text files of one sample a line, as BabyLM's text corpora: ``bnc_spoken.train``, ``childes.train`` and so on.

The split is a seeded hash of the line's text: equal lines ("Yeah .") are always in the same split, so no held-out line
was trained on, and adding a file moves no line of another.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from compactvl.data.babylm import GET_BABYLM
from compactvl.data.curate import Curation
from compactvl.data.kind import DataKind, FilePath, files_in
from compactvl.data.ratios import SplitRatios


class Settings(DataKind):
    """A folder of text files, one sample a line, as BabyLM's text corpora."""

    holds = frozenset({"texts"})

    kind: Literal["text_lines"] = Field(description="Text files, one sample a line.")
    path: FilePath = Field(description="Folder of the files.")
    pattern: str = Field("*.train", min_length=1, description="Which files of the folder.")
    ratios: SplitRatios = Field(default_factory=SplitRatios, description="Share of the lines a split.")
    seed: int = Field(42, ge=0, description="Seed of the split by line.")
    tagger: str | None = Field(
        None, description="Name or path of a spaCy pipeline that tags the words; null gives no tags."
    )
    how_to_get: str = Field(
        GET_BABYLM, min_length=1, description="Where the files come from; shown when they are missing."
    )

    @field_validator("pattern")
    @classmethod
    def _in_the_folder(cls, pattern: str) -> str:
        if any(part in pattern for part in ("/", "\\", "**")) or pattern in (".", ".."):
            raise ValueError("give a file name with wildcards, without folders")
        return pattern

    def own_files(self) -> list[tuple[str, str]]:
        """Return the text files."""
        return [("path", path) for path in files_in(self.path, self.pattern)]

    def curate(self, job: Curation) -> None:
        """Make a text set: item_id (``<file>:<line>``), split, document (file name), text, pos ("" without a tagger).

        Empty lines are skipped and counted.
        """
        import pandas as pd

        from compactvl.data.audit import audit_texts, caseless
        from compactvl.data.tagger import load_tagger
        from compactvl.data.user_files import read_lines
        from compactvl.errors import UserError

        tag = load_tagger(self.tagger, f"{job.place}.tagger")
        rows, lines, empty = [], {}, {}
        for path in (Path(path) for _, path in self.own_files()):
            number, before = 0, len(rows)
            for number, text in read_lines(path):
                if text:
                    split = self.ratios.split_of(caseless(text), self.seed)
                    rows.append((f"{path.name}:{number}", split, path.name, text, tag(text)))
            lines[path.name], empty[path.name] = number, number - (len(rows) - before)
        items = pd.DataFrame(rows, columns=["item_id", "split", "document", "text", "pos"])
        if items.empty:
            raise UserError(f"the files {self.pattern} of {self.path} have no text ({job.place}); check them")
        audit = audit_texts(job.name, items, ("text",))
        job.write(self, items, text_only=True, lines=lines, empty=empty, audit=audit)
