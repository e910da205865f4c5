"""Several tasks with answers, judged together by area (:mod:`compactvl.evaluation.suite`)."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from compactvl.config.base import Strict
from compactvl.config.overlay import in_order
from compactvl.config.references import Ref
from compactvl.evaluation.abilities import SUITE, SuiteModel
from compactvl.evaluation.kind import BenchmarkKind, Measured, Split
from compactvl.records.layout import Layout


class SuiteTask(Strict):
    """One task of a suite."""

    area: str = Field(min_length=1, description="Area it belongs to; areas weigh the same.")
    dataset: Annotated[str, Ref("datasets", "answers")] = Field(description="Data set of its items.")
    type: str | None = Field(default=None, description="Items of this type alone; null: all.")


class Settings(BenchmarkKind):
    """The score of each task, of each area, and the mean of the areas."""

    ability: ClassVar[str] = SUITE

    kind: Literal["suite"] = Field(description="Several tasks with answers, judged together by area.")
    tasks: Annotated[dict[str, SuiteTask], BeforeValidator(in_order)] = Field(
        min_length=1, description="Tasks, by name; null takes one out."
    )
    split: Split = "test"

    def measure(self, model: SuiteModel, layout: Layout) -> Measured:
        """See :func:`compactvl.evaluation.suite.ask`."""
        from compactvl.evaluation.suite import Task, ask, suite_metrics

        tasks = {name: Task(task.area, task.dataset, task.type) for name, task in self.tasks.items()}
        table = ask(model, tasks, layout, self.split)
        return Measured(table, suite_metrics(table, {"": table["score"]}))
