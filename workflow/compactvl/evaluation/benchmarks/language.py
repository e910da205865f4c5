"""Language tasks by log-probabilities of texts, each with the item's image, without one and with another item's."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from compactvl.evaluation.abilities import TEXTS, TextScorer
from compactvl.evaluation.kind import BenchmarkKind, Measured
from compactvl.evaluation.language_tasks import METRIC_SUFFIXES, Condition, LanguageTask
from compactvl.records.layout import Layout


class Settings(BenchmarkKind):
    """Several language tasks, each with the item's image, without one and with another item's."""

    ability: ClassVar[str] = TEXTS

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
    def _consistent(self) -> "Settings":
        if "own" not in self.conditions and any(task.images for task in self.tasks.values()):
            raise ValueError("conditions must include own: a task's main metric is that with the item's own image")
        for name in self.tasks:
            if clash := next((f"{name}_{s}" for s in METRIC_SUFFIXES if f"{name}_{s}" in self.tasks), None):
                raise ValueError(f"the task name {clash} is also the name of a metric of {name}; choose another")
        return self

    @property
    def images(self) -> tuple[str, ...]:
        """The data sets whose images its items name, sorted."""
        return tuple(sorted({task.images for task in self.tasks.values()} - {None}))

    def measure(self, model: TextScorer, layout: Layout) -> Measured:
        """See :class:`BenchmarkKind`. A model whose scores are no probabilities has no perplexity."""
        import pandas as pd

        from compactvl.data.canonical import CanonicalSet
        from compactvl.evaluation.language import CONTEXT_AND_TEXT, build_requests, language_metrics
        from compactvl.evaluation.texts import answer

        tasks = {key: task for key, task in self.tasks.items() if model.probabilities or task.kind != "perplexity"}
        requests = [
            build_requests(key, task, CanonicalSet.open(layout.dataset(task.dataset)).items, self.conditions)
            for key, task in tasks.items()
        ]
        predictions = answer(pd.concat(requests, ignore_index=True), model).drop(columns=CONTEXT_AND_TEXT)
        return Measured(predictions, language_metrics(predictions, tasks))
