"""BabyLM's Winoground: jsonl of caption_0 (right), caption_1 (wrong), perhaps collapsed_tag or tag."""

from typing import Literal

from pydantic import Field

from compactvl.data.babylm import BabylmTask, Record, first_of, text_of, warn_of


class Settings(BabylmTask):
    """BabyLM's Winoground: the right and the wrong caption of one image."""

    holds = frozenset({"caption_choice"})

    kind: Literal["babylm_winoground"] = Field(description="BabyLM's Winoground jsonl.")

    def columns(self, record: Record, where: str, stem: str) -> dict[str, str]:
        """Return caption_0, caption_1, kind."""
        captions = {column: text_of(record, column, where) for column in ("caption_0", "caption_1")}
        if captions["caption_0"] == captions["caption_1"]:
            warn_of(where, "both captions are the same text")
        return captions | {"kind": first_of(record, "collapsed_tag", "tag")}
