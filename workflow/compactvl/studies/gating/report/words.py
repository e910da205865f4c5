"""The gates table, a row a word: when the model looks and when it listens."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from compactvl.evaluation.gate_tables import gate_columns, tagged, words_of
from compactvl.evaluation.statistics import Interval, percentiles, resampled_ratios
from compactvl.reporting.study import Estimate, StudyResults

GATES = "gates"
CAPTIONS, PROBE = "captions", "probe"
FEWEST = 5
"""Words a part of speech must have to be drawn."""
SIGNIFICANT = 0.001
POS_NAMES = {
    "NOUN": "noun", "VERB": "verb", "ADJ": "adjective", "ADV": "adverb", "NUM": "numeral", "DET": "determiner",
    "ADP": "adposition", "PRON": "pronoun", "CONJ": "conjunction", "PRT": "particle", ".": "punctuation", "X": "other",
}  # fmt: skip
"""Universal part-of-speech tag → in words."""


def gate_words(study: StudyResults, variant: str, source: str = CAPTIONS) -> pd.DataFrame | None:
    """Return the gates table of a variant's first seed, captions or probe; ``None`` where it was not measured.

    Columns ``gate`` (last layer, float64) and ``word_class`` (content, function or ``""``) are added.
    """
    tables = study.predictions(variant, GATES)
    table = next(iter(tables.values()), None)
    if table is None or not any(name.removeprefix("gate_").isdigit() for name in table):
        return None
    words = words_of(table, source).reset_index(drop=True)
    return None if words.empty else words


def first_seed(study: StudyResults, variant: str, metric: str) -> Estimate | None:
    """Return a gate metric of the seed whose words :func:`gate_words` gives, so that numbers are of one model."""
    seed = next(iter(study.predictions(variant, GATES)), None)
    return None if seed is None else study.estimate(variant, GATES, metric, seed)


def seed_note(study: StudyResults, variant: str) -> str:
    """Return ``"; first of 3 seeds"`` where there are several, else nothing."""
    seeds = len(study.predictions(variant, GATES))
    return f"; first of {seeds} seeds" if seeds > 1 else ""


def gated(study: StudyResults, variants: Iterable[str], source: str = CAPTIONS) -> dict[str, pd.DataFrame]:
    """Return :func:`gate_words` of those of ``variants`` whose gates were measured, in the order given."""
    return {v: words for v in variants if (words := gate_words(study, v, source)) is not None}


def parts_of_speech(words: pd.DataFrame) -> list[str]:
    """Return the parts of speech with enough words, lowest median gate (looks most) first; punctuation is no word."""
    groups = tagged(words).groupby("pos")["gate"]
    medians = groups.median()[groups.size() >= FEWEST]
    return [str(pos) for pos in medians.sort_values(kind="stable").index]


def pos_label(pos: str) -> str:
    """Return a universal part-of-speech tag in words."""
    return POS_NAMES.get(pos, pos.lower())


def kruskal_p(words: pd.DataFrame) -> float:
    """Return the p-value of Kruskal-Wallis over parts of speech; its statistics are metrics of the benchmark.

    As that of :func:`spearman_p` it takes words as independent, and is too small for that reason; 1 where it is not defined.
    """
    words = tagged(words)
    if words["pos"].nunique() < 2 or words["gate"].nunique() < 2:
        return 1.0
    return float(stats.kruskal(*(part for _, part in words.groupby("pos")["gate"])).pvalue)


def spearman_p(words: pd.DataFrame, column: str) -> float:
    """Return the p-value of Spearman's correlation of the gate with a column; ρ is a metric of the benchmark."""
    words = words[words[column].notna()]
    if len(words) < 3 or words["gate"].nunique() < 2 or words[column].nunique() < 2:
        return 1.0
    return float(stats.spearmanr(words["gate"], words[column]).pvalue)


def spreads(study: StudyResults, variant: str) -> np.ndarray | None:
    """Return each layer's standard deviation of the gate over words, ``(layers,)``; ``None`` where it was not measured.

    Below ``COLLAPSE`` a layer's gate is the same for every word.
    """
    words = gate_words(study, variant)
    return None if words is None else words[gate_columns(words)].to_numpy(dtype=float).std(axis=0)


def p_value(p: float, name: str = "p ") -> str:
    """Return ``p < 0.001`` or ``p = 0.012``; without a name ``< 0.001`` or ``0.012``."""
    if p < SIGNIFICANT:
        return f"{name}< {SIGNIFICANT}"
    return f"{name}= {p:.3f}" if name else f"{p:.3f}"


@dataclass(frozen=True)
class ContrastChange:
    """Content minus function words' gate in two models, over the words of both.

    Attributes:
        before, after: the contrast in each. apart: how much larger its size is in the second, |after| − |before|.
    """

    before: Interval
    after: Interval
    apart: Interval


def contrast_change(first: pd.DataFrame, last: pd.DataFrame) -> ContrastChange | None:
    """Return how the contrast changes from ``first`` to ``last``; both are read on the same words.

    Whole captions are resampled; ``None`` where the tables share no words of both classes.
    """
    place = ["item_id", "position"]
    both = first.merge(last[[*place, "gate"]], on=place, suffixes=("", "_last"))
    member = np.stack([both["word_class"] == name for name in ("content", "function")], axis=1)
    if not member.any(axis=0).all():
        return None
    values = np.concatenate([member * both[[name]].to_numpy() for name in ("gate", "gate_last")], axis=1)
    means, draws = resampled_ratios(values, np.tile(member, 2), both["item_id"].to_numpy(dtype=object))
    estimates = np.concatenate([means[None], draws])
    before, after = estimates[:, 0] - estimates[:, 1], estimates[:, 2] - estimates[:, 3]
    found = np.stack([before, after, np.abs(after) - np.abs(before)], axis=1)
    intervals = zip(found[0], percentiles(found[1:]), strict=True)
    return ContrastChange(*((float(value), *tails) for value, tails in intervals))
