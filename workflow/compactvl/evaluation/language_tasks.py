"""Settings of one language task: items scored by log-probabilities of texts."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from compactvl.config.base import Strict
from compactvl.config.references import Ref
from compactvl.evaluation.kind import Split

Condition = Literal["own", "none", "other"]
QUESTION = "{question}"
METRIC_SUFFIXES = ("no_image", "other_image", "ties", "text", "image", "group", "per_word")
"""``<task>_<suffix>`` are a task's further metrics (:mod:`compactvl.evaluation.language`)."""
PERPLEXITY_OF = {"text": "texts", "caption": "captions", "prompt": "probe"}
"""Column that perplexity is measured on → what a data set that has it holds."""


def _items(task: "LanguageTask") -> tuple[str, ...]:
    """What a task's data set must hold."""
    if task.kind == "winoground":
        return ("caption_choice",)
    return (PERPLEXITY_OF[task.text_column] if task.kind == "perplexity" else task.kind,)


class LanguageTask(Strict):
    """One set of items scored by log-probabilities of texts."""

    kind: Literal["minimal_pairs", "ewok", "ranked_answers", "winoground", "perplexity"] = Field(
        description="minimal_pairs: the good sentence above the bad one (BLiMP). ewok: the target that fits its context. "
        "ranked_answers: the answer above all distractors (BabyLM VQA, the probe). winoground: the right caption above "
        "the wrong one given the image. perplexity: of whole texts."
    )
    dataset: Annotated[str, Ref("datasets", accepts_by=_items)] = Field(
        description="Name of the canonical data set that holds the items."
    )
    images: Annotated[str | None, Ref("datasets")] = Field(
        default=None, min_length=1, description="Data set whose images the items name; null scores the texts alone."
    )
    split: Split = "test"
    prompt: str = Field(
        default=QUESTION,
        description='What the answer follows, for ranked_answers. BabyLM 2025 asks "{question}", BabyLM 2024 asked '
        '"Question: {question} Answer:".',
    )
    text_column: Literal["text", "caption", "prompt"] = Field(
        default="text", description="Column of items.parquet that perplexity is measured on."
    )
    max_items: int | None = Field(
        default=None,
        ge=1,
        description="Items scored: a fixed subset spread evenly over the table and its groups; null takes all.",
    )

    @field_validator("prompt")
    @classmethod
    def _asks(cls, prompt: str) -> str:
        if QUESTION not in prompt:
            raise ValueError(f"a prompt must contain {QUESTION}")
        return prompt
