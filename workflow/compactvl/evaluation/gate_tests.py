"""Do the gates of different words differ? Effect sizes and tests over the words of held-out captions.

All take words of :func:`compactvl.evaluation.gate_tables.words_of`. Words of one caption are not independent, so every
interval resamples whole captions (``item_id``). Where a statistic is not defined (one part of speech, constant gates) it
is 0, never NaN.
"""

import numpy as np
import pandas as pd
from scipy import stats

from compactvl.evaluation.gate_tables import tagged
from compactvl.evaluation.rank_statistics import RANK_RESAMPLES, kruskal_h, over_resamples, spearman
from compactvl.evaluation.statistics import Interval, percentiles

UNDEFINED: Interval = (0.0, 0.0, 0.0)


def kruskal_by_pos(words: pd.DataFrame, *, n_boot: int = RANK_RESAMPLES) -> tuple[Interval, Interval]:
    """Return Kruskal-Wallis' H between parts of speech, corrected for ties, and its effect size ε².

    ε² = H / ((n² - 1) / (n + 1)) = H / (n - 1), in 0..1 (Tomczak & Tomczak, 2014). Being a sum of squares it is above 0
    also without a difference, about (groups - 1) / (n - 1).
    """
    words = tagged(words)
    gate, pos = words["gate"].to_numpy(), words["pos"].to_numpy(dtype=object)
    if len(set(pos)) < 2 or np.ptp(gate) == 0:
        return UNDEFINED, UNDEFINED

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.stack(kruskal_h(gate, pos, weights), axis=1)

    (found,) = statistic(np.ones((1, len(words))))
    tails = percentiles(over_resamples(statistic, words["item_id"], n_boot))
    h, epsilon_squared = ((float(value), *pair) for value, pair in zip(found, tails, strict=True))
    return h, epsilon_squared


def dunn_by_pos(words: pd.DataFrame) -> pd.DataFrame:
    """Return the p-values of Dunn's test between every two parts of speech, with Holm's correction over all pairs.

    The test takes words as independent, so the values are too small.

    Returns:
        Parts of speech by parts of speech, sorted; 1 where gates are constant, empty with fewer than two.
    """
    # Imported here: it brings seaborn and matplotlib, which a job that only evaluates should not wait for.
    import scikit_posthocs

    words = tagged(words)[["pos", "gate"]].astype({"pos": object})
    tags = sorted(set(words["pos"]))
    if len(tags) < 2:
        return pd.DataFrame()
    if words["gate"].nunique() < 2:
        return pd.DataFrame(1.0, index=tags, columns=tags)
    return scikit_posthocs.posthoc_dunn(words, "gate", "pos", p_adjust="holm")


def spearman_with(words: pd.DataFrame, column: str, *, n_boot: int = RANK_RESAMPLES) -> Interval:
    """Return Spearman's ρ of the gate with ``column``, over the words where that is known; 0 for fewer than three."""
    words = words[words[column].notna()]
    gate, other = words["gate"].to_numpy(), words[column].to_numpy(dtype=float)
    if len(words) < 3 or np.ptp(gate) == 0 or np.ptp(other) == 0:
        return UNDEFINED
    draws = over_resamples(lambda weights: spearman(gate, other, weights)[:, None], words["item_id"], n_boot)
    return float(stats.spearmanr(gate, other).statistic), *percentiles(draws)[0]
