"""Right or wrong, item by item, from the log-probabilities of ``language.parquet``; paired differences of variants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compactvl.evaluation.language import MACRO
from compactvl.evaluation.language_scores import SCORES
from compactvl.evaluation.language_tasks import METRIC_SUFFIXES
from compactvl.evaluation.statistics import Interval, bootstrap_interval, bootstrap_ratios, stratified_bootstrap
from compactvl.reporting.gating.labels import TASKS
from compactvl.reporting.study import StudyResults

LANGUAGE = "language"
PERPLEXITY = "perplexity"


@dataclass(frozen=True)
class Score:
    """One variant's items of a task: which task, and with which image (own, none, other; ``""``: the main one)."""

    variant: str
    task: str
    condition: str = ""


def has_task(study: StudyResults, variant: str, task: str) -> bool:
    """Whether a variant was scored on a language task."""
    return study.estimate(variant, LANGUAGE, task) is not None


def scored(study: StudyResults, variants: Iterable[str], task: str) -> list[str]:
    """Return those of ``variants`` that were scored on a task, in the order given."""
    return [variant for variant in variants if has_task(study, variant, task)]


def language_tasks(study: StudyResults, variants: Iterable[str]) -> list[str]:
    """Return the tasks any of ``variants`` was scored on, those of :data:`TASKS` first, then others by name."""
    table = study.metrics
    rows = table[table["variant"].isin(list(variants)) & (table["benchmark"] == LANGUAGE)]
    names = {name for name in rows["metric"] if "/" not in name}
    found = {name for name in names if not any(name == f"{task}_{s}" for s in METRIC_SUFFIXES for task in names)}
    return [*(task for task in TASKS if task in found), *sorted(found - set(TASKS))]


def requests(study: StudyResults, score: Score) -> list[pd.DataFrame]:
    """Return the requests of a task and condition, a table a seed; empty where there are none."""
    tables = []
    for table in study.predictions(score.variant, LANGUAGE).values():
        rows = table[table["task"] == score.task]
        condition = score.condition or ("own" if (rows["condition"] == "own").any() else "none")
        rows = rows[rows["condition"] == condition]
        if len(rows):
            tables.append(rows)
    return tables


def item_values(study: StudyResults, score: Score) -> pd.DataFrame | None:
    """Return columns value (0..1, mean over seeds), group and cluster, indexed by item_id; ``None`` where absent.

    Perplexity has no right and wrong and gives ``None``.
    """
    tables = requests(study, score)
    if not tables or (tables[0]["kind"] == PERPLEXITY).any():
        return None
    values = pd.concat([SCORES[table["kind"].iloc[0]](table)["value"] for table in tables], axis=1).mean(axis=1)
    about = tables[0].drop_duplicates("item_id").set_index("item_id")[["group", "cluster", "kind"]]
    return about.assign(value=values)


def split_accuracy(study: StudyResults, score: Score, reference: Score) -> dict[str, tuple[Interval, int]] | None:
    """Return the share of right items where ``reference`` is ``right`` and where it is ``wrong``, and their number.

    A mean over items, not over groups, as the parts' groups are small; ``None`` where one is absent, and a part without
    items is left out.
    """
    mine, theirs = item_values(study, score), item_values(study, reference)
    if mine is None or theirs is None:
        return None
    right = theirs["value"].reindex(mine.index).dropna() > 0.5
    parts = {"wrong": mine.loc[right.index[~right]], "right": mine.loc[right.index[right]]}
    return {
        name: (bootstrap_interval(part["value"].to_numpy(), part["cluster"].to_numpy(dtype=object)), len(part))
        for name, part in parts.items()
        if len(part)
    }


def difference(study: StudyResults, a: Score, b: Score) -> Interval | None:
    """Return the paired difference ``a − b`` over the items both have; ``None`` where one is absent.

    Whole clusters are resampled, and within the groups where the score is a mean over groups.
    """
    return mean_difference(study, [(a, b)])


def mean_difference(study: StudyResults, pairs: Iterable[tuple[Score, Score]]) -> Interval | None:
    """Return the mean of several tasks' paired differences, each task weighing the same; ``None`` if one is absent."""
    parts = []
    for number, (a, b) in enumerate(pairs):
        joined = _joined(study, a, b)
        if joined is None:
            return None
        macro = joined["kind"].iloc[0] in MACRO
        stratum = f"{number}:" + (joined["group"].astype(str) if macro else "")
        parts.append(joined.assign(stratum=stratum))
    return _stratified(parts)


def common_difference(study: StudyResults, many: Sequence[Score], b: Score) -> Interval | None:
    """Return how much better ``many`` are than ``b`` on the same task in the mean; ``None`` where one is absent."""
    parts = [_joined(study, a, b) for a in many]
    if not parts or any(part is None for part in parts):
        return None
    table = (
        pd.concat(parts).groupby(level=0)["difference"].mean().to_frame().join(parts[0][["group", "cluster", "kind"]])
    )
    stratum = table["group"].astype(str) if table["kind"].iloc[0] in MACRO else ""
    return _stratified([table.assign(stratum=stratum)])


def _joined(study: StudyResults, a: Score, b: Score) -> pd.DataFrame | None:
    left, right = item_values(study, a), item_values(study, b)
    if left is None or right is None:
        return None
    joined = left.assign(difference=left["value"] - right["value"]).dropna(subset="difference")
    return None if joined.empty else joined


def _stratified(parts: Sequence[pd.DataFrame]) -> Interval:
    """The mean over parts of the mean over each part's strata."""
    table = pd.concat(parts)
    strata = table["stratum"].nunique()
    scale = np.concatenate([np.full(len(p), strata / (len(parts) * p["stratum"].nunique())) for p in parts])
    values, clusters = scale * table["difference"].to_numpy(), table["cluster"].astype(str).to_numpy()
    return stratified_bootstrap(values, table["stratum"].to_numpy(), clusters)[0]


def surprisal_difference(study: StudyResults, first: Score, second: Score) -> Interval | None:
    """Return nats a token that ``first`` needs more than ``second`` on the same texts, whole texts resampled.

    ``exp`` of it is the ratio of the two perplexities, which have to be over the same tokens.
    """
    left, right = requests(study, first), requests(study, second)
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
