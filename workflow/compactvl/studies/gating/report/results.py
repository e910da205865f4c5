"""The gating study's results: right or wrong item by item, and what its variants, tasks and tags are called."""

from collections.abc import Iterable
from typing import ClassVar

import pandas as pd

from compactvl.evaluation.language import CONTROLS, MACRO
from compactvl.evaluation.language_scores import score_texts
from compactvl.evaluation.language_tasks import METRIC_SUFFIXES
from compactvl.evaluation.statistics import Interval, bootstrap_interval, bootstrap_ratios
from compactvl.reporting.paired import Measure
from compactvl.reporting.study import StudyResults, over_seeds

LANGUAGE = "language"
PERPLEXITY = "perplexity"
OTHER_IMAGE, NO_IMAGE = (f"_{CONTROLS[condition]}" for condition in ("other", "none"))
"""Suffixes of a task's metric: asked with another item's image, and with the image taken away."""


class GatingResults(StudyResults):
    """Metrics and predictions of the gating study's variants."""

    LABELS: ClassVar = {
        "unigram": "Unigram (control)",
        "bigram": "Bigram (control)",
        "random": "Random scores (control)",
        "no_images": "Images withheld (control)",
        "text_only": "Text only, no captions (control)",
        "text_trunk": "Trunk: images withheld, start of the design choices",
        "base": "Base: soft gate, per feature",
        "soft_token": "Soft gate, per token",
        "hard_feature": "Hard gate, per feature",
        "hard_token": "Hard gate, per token",
        "no_gate": "No gate",
        "no_image_encoder": "No image encoder",
        "film_text": "FiLM on text",
        "film_cross": "FiLM on cross-attention",
        "film_image": "FiLM on image",
        "dyintra_text": "DyIntra on text",
        "dyintra_cross": "DyIntra on cross-attention",
        "dyintra_image": "DyIntra on image",
        "channel_attention": "Channel attention",
        "clip": "CLIP loss",
        "lcg": "LCG loss",
        "patches": "Patches instead of CLS",
        "curriculum_text_first": "Alternating, text first",
        "curriculum_caption_first": "Alternating, captions first",
        "curriculum_text_then_caption": "Text, then captions",
        "curriculum_caption_then_text": "Captions, then text",
        "curriculum_mixed": "Mixed, losses added",
        "curriculum_mixed_shuffled": "Mixed, shuffled",
        "curriculum_captions_only": "Captions only",
    }
    METRICS: ClassVar = {
        "pairs": "Minimal pairs",
        "ewok": "EWoK",
        "vqa": "VQA",
        "winoground": "Winoground",
        "text_perplexity": "Text perplexity",
        "caption_perplexity": "Caption perplexity",
    }
    """Language tasks in the order of the tables; others that were scored follow."""

    def short(self, variant: str) -> str:
        """Return the part of a variant's name that tells it apart: "Base" for "Base: soft gate, per feature"."""
        return self.label(variant).split(":")[0]

    def items(self, variant: str, benchmark: str, metric: str) -> pd.DataFrame | None:
        """Return the items of a language task, 0..1 each, by item_id; ``None`` for perplexities, which have none.

        Strata are the groups (phenomena, domains) where the score is a mean over groups.
        """
        tables = self.requests(variant, metric)
        if not tables or (tables[0]["kind"] == PERPLEXITY).any():
            return None
        kind = tables[0]["kind"].iloc[0]
        values = over_seeds([score_texts(kind, table)["value"] for table in tables])
        rows = tables[0].drop_duplicates("item_id").set_index("item_id")
        stratum = rows["group"] if kind in MACRO else ""
        return values.loc[rows.index].assign(cluster=rows["cluster"], stratum=stratum)

    def requests(self, variant: str, metric: str) -> list[pd.DataFrame]:
        """Return the texts that were scored for a task's metric, a table a seed; empty where there are none.

        ``vqa`` is asked with the item's own image (without one, where images are withheld), ``vqa_other_image`` and
        ``vqa_no_image`` as they say.
        """
        asked = next((c for c, suffix in CONTROLS.items() if metric.endswith(f"_{suffix}")), "")
        task, tables = metric.removesuffix(f"_{CONTROLS[asked]}") if asked else metric, []
        for table in self.predictions(variant, LANGUAGE).values():
            rows = table[table["task"] == task]
            condition = asked or ("own" if (rows["condition"] == "own").any() else "none")
            rows = rows[rows["condition"] == condition]
            if len(rows):
                tables.append(rows)
        return tables

    def tasks(self, variants: Iterable[str]) -> list[str]:
        """Return the tasks any of ``variants`` was scored on, those of :attr:`METRICS` first, then others by name."""
        table = self.metrics
        rows = table[table["variant"].isin(list(variants)) & (table["benchmark"] == LANGUAGE)]
        names = {name for name in rows["metric"] if "/" not in name}
        found = {name for name in names if not any(name == f"{task}_{s}" for s in METRIC_SUFFIXES for task in names)}
        return in_order(found)

    def scored(self, variants: Iterable[str], task: str) -> list[str]:
        """Return those of ``variants`` that were scored on a task, in the order given."""
        return [variant for variant in variants if self.estimate(variant, LANGUAGE, task)]

    def shares(self, whole: str) -> dict[float, str]:
        """Return share of what ``whole`` sees → variant, of those that differ from it in how much they see only."""
        arms = self.arms(whole, "data_share")
        shares = {v: self.settings(v)["data_share"] / self.settings(whole)["data_share"] for v in arms}
        return {shares[variant]: variant for variant in sorted(arms, key=shares.get)}

    def split_accuracy(self, score: Measure, reference: Measure) -> dict[str, tuple[Interval, int]]:
        """Return the share of right items where ``reference`` is ``wrong`` and where it is ``right``, and their number.

        A mean over items, not over groups, as the parts' groups are small; a part without items is left out.
        """
        mine, theirs = self.items(*score), self.items(*reference)
        if mine is None or theirs is None:
            return {}
        right = theirs["value"].reindex(mine.index).dropna() > 0.5
        parts = {"wrong": mine.loc[right.index[~right]], "right": mine.loc[right.index[right]]}
        return {
            name: (bootstrap_interval(part["value"], part["cluster"].to_numpy(dtype=object)), len(part))
            for name, part in parts.items()
            if len(part)
        }

    def surprisal_difference(self, first: Measure, second: Measure) -> Interval | None:
        """Return nats a token that ``first`` needs more than ``second`` on the same texts, whole texts resampled.

        ``exp`` of it is the ratio of the two perplexities, which have to be over the same tokens.
        """
        left, right = (self.requests(measure.variant, measure.metric) for measure in (first, second))
        if not left or not right:
            return None
        sums = [sum(t.set_index("item_id")[["log_prob", "tokens"]] for t in ts) / len(ts) for ts in (left, right)]
        items = sums[0].index.intersection(sums[1].index)
        a, b = (table.loc[items] for table in sums)
        if items.empty or (a["tokens"] != b["tokens"]).any():
            return None
        clusters = left[0].set_index("item_id")["cluster"][items].to_numpy(dtype=object)
        more = (b["log_prob"] - a["log_prob"]).to_numpy()[:, None]
        return bootstrap_ratios(more, a["tokens"].to_numpy(dtype=float)[:, None], clusters)[0]


def in_order(tasks: Iterable[str]) -> list[str]:
    """Return tasks in the tables' order, then others by name."""
    known = list(GatingResults.METRICS)
    return sorted(tasks, key=lambda task: (known.index(task) if task in known else len(known), task))


def is_perplexity(task: str) -> bool:
    """Whether a task is a perplexity: shown on a logarithmic scale, steps counted in its logarithm."""
    return task.endswith(PERPLEXITY)


def language(variant: str, metric: str) -> Measure:
    """Return a metric of the language benchmark."""
    return Measure(variant, LANGUAGE, metric)


def share_label(share: float) -> str:
    """Return a share of the pool as a fraction: ``1/8``, ``1``."""
    return "1" if share == 1 else f"1/{round(1 / share)}"
