"""Benchmarks of a language model that may look at an image: five kinds of language task, and what its gates do."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from compactvl.config.base import Strict
from compactvl.config.references import Ref, named

Split = Literal["train", "val", "test"]
Condition = Literal["own", "none", "other"]
QUESTION = "{question}"
METRIC_SUFFIXES = ("no_image", "other_image", "ties", "text", "image", "group", "per_word")
"""``<task>_<suffix>`` are a task's further metrics (:mod:`compactvl.evaluation.language`)."""
TEXTS = {"text": "texts", "caption": "captions", "prompt": "probe"}
"""Column that perplexity is measured on → what a data set that has it holds."""


def _items(task: "LanguageTask") -> tuple[str]:
    """Return what a task's data set must hold."""
    others = {"winoground": "caption_choice", "perplexity": TEXTS[task.text_column]}
    return (others.get(task.kind, task.kind),)


class LanguageTask(Strict):
    """One set of items scored by log-probabilities of texts."""

    kind: Literal["minimal_pairs", "ewok", "ranked_answers", "winoground", "perplexity"] = Field(
        description="minimal_pairs: the good sentence above the bad one (BLiMP). ewok: the target that fits its context. "
        "ranked_answers: the answer above all distractors (BabyLM VQA, the probe). winoground: the right caption above "
        "the wrong one given the image. perplexity: of whole texts."
    )
    dataset: Annotated[str, Ref("datasets", accepts_by=_items)] = Field(
        min_length=1, description="Name of the canonical data set that holds the items."
    )
    images: Annotated[str | None, Ref("datasets")] = Field(
        default=None, min_length=1, description="Data set whose images the items name; null scores the texts alone."
    )
    split: Split = Field(default="test", description="Split that is scored.")
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


class LanguageBenchmark(Strict):
    """Several language tasks, each with the item's image, without one and with another item's."""

    kind: Literal["language"] = Field(description="Minimal pairs, EWoK, ranked answers, Winoground and perplexity.")
    tasks: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], LanguageTask] = Field(
        min_length=1, description="The tasks by name; a name is also its main metric's."
    )
    conditions: tuple[Condition, ...] = Field(
        default=("own", "none", "other"),
        min_length=1,
        description="Images given: the item's own, none, another item's. Tasks without images have `none` only.",
    )

    @field_validator("conditions")
    @classmethod
    def _different(cls, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        if len(set(conditions)) != len(conditions):
            raise ValueError("conditions must be different")
        return conditions

    @model_validator(mode="after")
    def _consistent(self) -> "LanguageBenchmark":
        if "own" not in self.conditions and any(task.images for task in self.tasks.values()):
            raise ValueError("conditions must include own: a task's main metric is that with the item's own image")
        for name in self.tasks:
            if clash := next((f"{name}_{s}" for s in METRIC_SUFFIXES if f"{name}_{s}" in self.tasks), None):
                raise ValueError(f"the task name {clash} is also the name of a metric of {name}; choose another")
        return self

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every data set the tasks name, those of the images included, sorted."""
        return tuple(sorted(named(self, "datasets")))


class GatesBenchmark(Strict):
    """What the gates do, word by word of held-out captions, and in items where the image is needed or not."""

    kind: Literal["gates"] = Field(description="Gate values by part of speech, frequency, concreteness and need.")
    dataset: Annotated[str, Ref("datasets", "captions")] = Field(
        min_length=1, description="Captioned data set with parts of speech (column pos)."
    )
    split: Split = Field(default="test", description="Split whose captions are read.")
    max_items: int | None = Field(
        default=None, ge=1, description="Captions read: a fixed subset spread evenly over the table; null takes all."
    )
    probe: Annotated[str | None, Ref("datasets", "probe")] = Field(
        default=None, min_length=1, description="Data set of kind scene_probe; null: no probe."
    )
    images: Annotated[str | None, Ref("datasets")] = Field(
        default=None, min_length=1, description="Data set whose images the probe's items name."
    )
    concreteness: str | None = Field(
        default=None,
        min_length=1,
        description="File of concreteness norms in the columns of Brysbaert et al. (2014); null leaves concreteness out.",
    )

    @model_validator(mode="after")
    def _probe_has_images(self) -> "GatesBenchmark":
        if (self.probe is None) != (self.images is None):
            raise ValueError("probe and images belong together: set both or neither")
        return self

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every data set it names, sorted."""
        return tuple(sorted(named(self, "datasets")))
