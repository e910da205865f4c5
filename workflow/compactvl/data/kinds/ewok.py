"""EWoK: jsonl of Context1, Context2, Target1, Target2, Domain."""

from typing import Literal

from pydantic import Field

from compactvl.data.babylm import BabylmTask, Record, text_of, warn_of

COLUMNS = {
    "context_0": "Context1", "context_1": "Context2", "target_0": "Target1", "target_1": "Target2", "domain": "Domain",
}  # fmt: skip


class Settings(BabylmTask):
    """EWoK, the jsonl files of BabyLM."""

    holds = frozenset({"ewok"})

    kind: Literal["ewok"] = Field(description="EWoK's jsonl.")
    how_to_get: str = Field(
        "Its owners give it at https://huggingface.co/datasets/ewok-core/ewok-core-1.0 after agreeing to its terms.",
        min_length=1,
        description="Where the files come from; shown when one is missing.",
    )

    def columns(self, record: Record, where: str, stem: str) -> dict[str, str]:
        """Return context_0, context_1, target_0, target_1, domain."""
        texts = {column: text_of(record, field, where) for column, field in COLUMNS.items()}
        for what in ("context", "target"):
            if texts[f"{what}_0"] == texts[f"{what}_1"]:
                warn_of(where, f"both {what}s are the same text")
        return texts
