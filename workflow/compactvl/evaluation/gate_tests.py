"""Do the gates of different words differ? Tests and effect sizes over the words of held-out captions.

Words of one caption are not independent, so every interval resamples whole captions (``item_id``); the p-values are
those of the named tests, which take words as independent, and are too small for that reason. Where a statistic is not
defined (no words, one part of speech, constant gates) it is 0 with p = 1, never NaN.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from compactvl.evaluation.gate_tables import tagged_words, words_of
from compactvl.evaluation.rank_statistics import RANK_RESAMPLES, kruskal_h, over_resamples, spearman
from compactvl.evaluation.statistics import RESAMPLES, percentiles, resampled_ratios

DUNN_COLUMNS = {
    "pos_a": object, "pos_b": object, "n_a": int, "n_b": int, "rank_a": float, "rank_b": float,
    "p": float, "p_holm": float,
}  # fmt: skip


@dataclass(frozen=True)
class Kruskal:
    """Kruskal-Wallis over parts of speech.

    Attributes:
        h, h_low, h_high: the statistic, corrected for ties, with its interval. p: chi-squared, groups - 1 degrees.
        epsilon_squared, low, high: ε² = H / ((n² - 1) / (n + 1)) = H / (n - 1), in 0..1 (Tomczak & Tomczak, 2014).
            Being a sum of squares it is above 0 also without a difference, about (groups - 1) / (n - 1).
        n: words. groups: parts of speech.
    """

    h: float
    h_low: float
    h_high: float
    p: float
    epsilon_squared: float
    low: float
    high: float
    n: int
    groups: int


@dataclass(frozen=True)
class Contrast:
    """Content words against function words.

    Attributes:
        content, function: mean gates. difference, low, high: content - function.
        rank_biserial: 2 U / (n_content · n_function) - 1: how much likelier a content word's gate is the higher one
            than the lower one. p: of the two-sided Mann-Whitney test.
        n_content, n_function: words.
    """

    content: float
    function: float
    difference: float
    low: float
    high: float
    rank_biserial: float
    p: float
    n_content: int
    n_function: int


@dataclass(frozen=True)
class Correlation:
    """Spearman's ρ with its interval, its p-value and the words it was computed over."""

    rho: float
    low: float
    high: float
    p: float
    n: int


def kruskal_by_pos(table: pd.DataFrame, *, n_boot: int = RANK_RESAMPLES, seed: int = 0) -> Kruskal:
    """Test whether gates differ between parts of speech."""
    words = tagged_words(table)
    gate, pos = words["gate"].to_numpy(), words["pos"].to_numpy(dtype=object)
    groups = len(set(pos))
    if groups < 2 or np.ptp(gate) == 0:
        return Kruskal(0, 0, 0, 1, 0, 0, 0, n=len(words), groups=groups)
    (h,), (epsilon_squared,) = kruskal_h(gate, pos, np.ones((1, len(words))))
    draws = over_resamples(
        lambda weights: np.stack(kruskal_h(gate, pos, weights), axis=1), words["item_id"].to_numpy(), n_boot, seed
    )
    (h_low, h_high), (low, high) = percentiles(draws)
    p = float(stats.chi2.sf(h, groups - 1))
    return Kruskal(float(h), h_low, h_high, p, float(epsilon_squared), low, high, n=len(words), groups=groups)


def dunn_by_pos(table: pd.DataFrame) -> pd.DataFrame:
    """Compare every two parts of speech by Dunn's test.

    Returns:
        pos_a, pos_b (sorted), n_a, n_b, rank_a, rank_b (mean ranks among all words), p, p_holm (Holm's correction
        over all pairs); empty with fewer than two parts of speech.
    """
    # Imported here: it brings seaborn and matplotlib, which a job that only evaluates should not wait for.
    import scikit_posthocs

    words = tagged_words(table)[["pos", "gate"]].astype({"pos": object})
    ranks = words["gate"].rank().groupby(words["pos"]).agg(["size", "mean"]).sort_index()
    pairs = list(combinations(ranks.index, 2))
    constant = words["gate"].nunique() < 2
    raw, holm = (
        None if constant or not pairs else scikit_posthocs.posthoc_dunn(words, "gate", "pos", p_adjust=adjust)
        for adjust in (None, "holm")
    )
    return pd.DataFrame(
        [
            {
                "pos_a": a,
                "pos_b": b,
                "n_a": int(ranks.at[a, "size"]),
                "n_b": int(ranks.at[b, "size"]),
                "rank_a": float(ranks.at[a, "mean"]),
                "rank_b": float(ranks.at[b, "mean"]),
                "p": 1.0 if constant else float(raw.at[a, b]),
                "p_holm": 1.0 if constant else float(holm.at[a, b]),
            }
            for a, b in pairs
        ],
        columns=list(DUNN_COLUMNS),
    ).astype(DUNN_COLUMNS)


def content_function(table: pd.DataFrame, *, n_boot: int = RESAMPLES, seed: int = 0) -> Contrast:
    """Compare content with function words; all 0 (and p = 1) where one class has no words."""
    words = words_of(table)
    member = np.stack([words["word_class"] == name for name in ("content", "function")], axis=1)
    counts = member.sum(axis=0)
    if not counts.all():
        return Contrast(0, 0, 0, 0, 0, 0, 1, *map(int, counts))
    gate = words["gate"].to_numpy()
    (content, function), draws = resampled_ratios(
        member * gate[:, None], member, words["item_id"].to_numpy(), n_boot=n_boot, seed=seed
    )
    ((low, high),) = percentiles(draws[:, :1] - draws[:, 1:])
    test = stats.mannwhitneyu(gate[member[:, 0]], gate[member[:, 1]], method="asymptotic")
    return Contrast(
        content=float(content),
        function=float(function),
        difference=float(content - function),
        low=low,
        high=high,
        rank_biserial=float(2 * test.statistic / counts.prod() - 1),
        p=float(np.nan_to_num(test.pvalue, nan=1.0)),
        n_content=int(counts[0]),
        n_function=int(counts[1]),
    )


def spearman_with(table: pd.DataFrame, column: str, *, n_boot: int = RANK_RESAMPLES, seed: int = 0) -> Correlation:
    """Correlate the gate with ``column`` (frequency, concreteness, surprisal), over the words where it is known."""
    words = words_of(table)
    words = words[np.isfinite(words[column].to_numpy(dtype=float))]
    gate, other = words["gate"].to_numpy(), words[column].to_numpy(dtype=float)
    if len(words) < 3 or np.ptp(gate) == 0 or np.ptp(other) == 0:
        return Correlation(0, 0, 0, 1, n=len(words))
    test = stats.spearmanr(gate, other)
    draws = over_resamples(
        lambda weights: spearman(gate, other, weights)[:, None], words["item_id"].to_numpy(), n_boot, seed
    )
    return Correlation(float(test.statistic), *percentiles(draws)[0], p=float(test.pvalue), n=len(words))
