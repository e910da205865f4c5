"""A model of several encoders on a suite, with encoders taken away but not trained without."""

from itertools import combinations
from typing import ClassVar, Literal

from pydantic import Field

from compactvl.evaluation.abilities import MASKING, MaskableModel
from compactvl.evaluation.benchmarks.suite import Settings as Suite
from compactvl.evaluation.kind import Measured
from compactvl.records.layout import Layout

FILLS = ("zero", "mean")
"""What stands for a masked encoder's features: zeros, or their mean over the training images."""


class Settings(Suite):
    """The overall score of one trained model for every set of encoders that are left to it.

    Predictions have a column ``<fill>:<encoders, joined by +>`` with each item's score; metrics have the same names.
    """

    ability: ClassVar[str] = MASKING

    kind: Literal["masking"] = Field(description="A suite, for every subset of a model's encoders, the others masked.")

    def measure(self, model: MaskableModel, layout: Layout) -> Measured:
        """See :class:`Settings`."""
        from compactvl.evaluation.suite import KEPT, OVERALL, Task, ask, asked_sets, item_scores, suite_metrics

        tasks = {name: Task(task.area, task.dataset, task.type) for name, task in self.tasks.items()}
        table, sets = ask(model, tasks, layout, self.split), asked_sets(tasks, layout, self.split)
        scores = {
            f"{fill}:{'+'.join(kept)}": item_scores(model.masked(kept, fill), table, sets)
            for size in range(len(model.encoders))
            for kept in combinations(model.encoders, size)
            for fill in FILLS
        }
        metrics = suite_metrics(table, {f"{name}/": values for name, values in scores.items()}, chance=False)
        overall = [metric for metric in metrics if metric.name.endswith(f"/{OVERALL}")]
        return Measured(table[KEPT].assign(**scores), overall)
