"""DiDE's results: what answers and retrieval scored, and what variants and tasks are called."""

from collections.abc import Sequence
from typing import ClassVar

import pandas as pd

from compactvl.evaluation.retrieval import DIRECTIONS, query_hits
from compactvl.reporting.answers import AnswersResults
from compactvl.reporting.overview import Model
from compactvl.reporting.study import over_seeds

QA, ENTAIL, PAIRS, EASY, SCENES = "scene_qa", "scene_entail", "scene_pairs", "easy_vqa", "scenes"
TASKS = (QA, ENTAIL, PAIRS, EASY)


class DideResults(AnswersResults):
    """Metrics, predictions and timings of DiDE's variants."""

    SCORES: ClassVar = {QA: "macro", ENTAIL: "accuracy", PAIRS: "accuracy", EASY: "macro"}
    LABELS: ClassVar = {
        "teacher": "Teacher: fusion encoder",
        "blind": "Fusion encoder without the image (control)",
        "shuffled_images": "Teacher, images exchanged (control)",
        "random": "Random answers (control)",
        "dual": "Dual: hard labels",
        "dual_soft": "Dual: soft labels",
        "dual_attention": "Dual: hard labels + attention",
        "dual_distilled": "Dual: soft labels + attention (DiDE)",
        "dual_distilled_hard": "Dual: all three",
        "dual_distilled_layers": "DiDE, two layers averaged",
        "dual_distilled_pretrained": "DiDE, pre-trained by attention too",
        "retrieval": "Dual: contrastive",
        "retrieval_attention": "Dual: contrastive + attention",
    }
    METRICS: ClassVar = {
        QA: "scene QA",
        ENTAIL: "entailment",
        PAIRS: "two scenes",
        EASY: "easy-VQA",
        "macro": "score, mean over types",
        "vqa_score": "score, mean over questions",
    }

    def items(self, variant: str, benchmark: str, metric: str) -> pd.DataFrame | None:
        """See :class:`AnswersResults`; also ``<direction>_r<k>``, each query's hit."""
        tables = list(self.predictions(variant, benchmark).values())
        if tables and "direction" in tables[0]:
            return self._hits(tables, metric)
        return super().items(variant, benchmark, metric)

    @staticmethod
    def _hits(tables: Sequence[pd.DataFrame], metric: str) -> pd.DataFrame:
        direction, _, k = metric.partition("_r")
        if direction not in DIRECTIONS:
            raise ValueError(f"retrieval has no items for {metric}")
        largest = max(len(scores) for scores in tables[0]["scores"])
        hits = [query_hits(table, direction, largest, int(k)) for table in tables]
        rows = tables[0][tables[0]["direction"] == direction].set_index("query_id")
        return over_seeds(hits).assign(cluster=rows["cluster_id"])

    def tasks(self) -> list[str]:
        """Return the tasks that were evaluated: those known first, then others by name."""
        scored = self.metrics["metric"].isin(["accuracy", "vqa_score"])
        found = set(self.metrics.loc[scored, "benchmark"])
        return [*(task for task in self.SCORES if task in found), *sorted(found - set(self.SCORES))]

    def of_task(self, task: str) -> list[str]:
        """Return the variants that were evaluated on a task, in the order of :attr:`LABELS`, then by name."""
        found = set(self.metrics.loc[self.metrics["benchmark"] == task, "variant"])
        known = [name for stem in self.LABELS for name in sorted(found) if self.stem(name, task) == stem]
        return [*known, *sorted(found - set(known))]

    @staticmethod
    def stem(variant: str, task: str) -> str:
        """Return a variant's name without its task's: ``dual`` for ``dual_entail``."""
        return variant.removesuffix(f"_{task.removeprefix('scene_').removesuffix('_vqa')}") if task != QA else variant

    def label(self, variant: str) -> str:
        """Return a variant's name for readers; its task is named by the table it stands in."""
        stems = (self.stem(variant, task) for task in self.SCORES)
        return next((self.LABELS[stem] for stem in stems if stem in self.LABELS), super().label(variant))

    def models(self, *, teacher: str, dual: str, best: str) -> list[Model]:
        """Return the study's main models; see :func:`dide_claims` for the arguments."""
        settings = self.settings(teacher) or {}
        images, vector = settings.get("images", {}), 4 * settings.get("trunk", {}).get("width", 0) / 1000
        tokens = 2 * images["side"] ** 2 * images["width"] / 1000 if images.get("input") == "tokens" else None
        apart = {"offline": ("image tower",), "storage": vector or None}
        return [
            Model("Fusion encoder", teacher, {"easy_vqa": f"{teacher}_easy"}, storage=tokens),
            Model("Dual encoder", dual, {"easy_vqa": f"{dual}_easy", "t2i": "retrieval", "i2t": "retrieval"}, **apart),
            Model("Dual encoder, distilled (DiDE)", best,
                  {"easy_vqa": "dual_distilled_easy", "t2i": "retrieval_attention", "i2t": "retrieval_attention"},
                  timed=dual, **apart),
        ]  # fmt: skip
