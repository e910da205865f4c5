"""When the model looks and when it listens: the gates' metrics, from the predictions table of a gates benchmark.

The table's columns are in :mod:`compactvl.evaluation.gate_tables`; the tests in
:mod:`compactvl.evaluation.gate_tests`, the regression in :mod:`compactvl.evaluation.gate_regression`.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compactvl.evaluation.gate_regression import regression
from compactvl.evaluation.gate_tables import COLLAPSE, gate_columns, tagged_words, words_of
from compactvl.evaluation.gate_tests import content_function, dunn_by_pos, kruskal_by_pos, spearman_with
from compactvl.evaluation.results import Metric
from compactvl.evaluation.statistics import Interval, bootstrap_means, percentiles, resampled_ratios

__all__ = [
    "COLLAPSE",
    "collapsed",
    "content_function",
    "dunn_by_pos",
    "gates_metrics",
    "kruskal_by_pos",
    "probe_summary",
    "regression",
    "spearman_with",
    "warn_of_collapse",
]

log = logging.getLogger(__name__)
CONDITIONS = ("necessary", "useful", "irrelevant")
MEASURES = {"gate": "probe_gate", "correct": "probe_accuracy", "correct_no_image": "probe_accuracy_no_image"}
"""Column of a probe item → metric."""


@dataclass(frozen=True)
class Collapse:
    """Whether the gates still depend on the word; true where the last layer's, which all analyses are of, do not.

    A gate mixes text and image on a scale of 0 to 1. Where it varies by less than a hundredth of that scale, every word
    gets the same mixture, however significant the differences are over thousands of words.

    Attributes:
        layers: standard deviation across the captions' words, by layer. threshold: below it a layer is constant.
    """

    layers: tuple[float, ...]
    threshold: float

    def __bool__(self) -> bool:
        return self.constant[-1]

    @property
    def constant(self) -> tuple[bool, ...]:
        """Whether each layer's gate is constant."""
        return tuple(spread < self.threshold for spread in self.layers)


def collapsed(table: pd.DataFrame, threshold: float = COLLAPSE) -> Collapse:
    """Check the gates' failure sign, values that do not vary from word to word, in every layer."""
    words = words_of(table)
    layers = tuple(
        float(words[name].to_numpy(dtype=float).std()) if len(words) else 0.0 for name in gate_columns(table)
    )
    return Collapse(layers, threshold)


def warn_of_collapse(table: pd.DataFrame) -> None:
    """Log a warning where the gates have collapsed."""
    if check := collapsed(table):
        log.warning(
            "the gates have collapsed: over all words they vary by %.1g (standard deviation, last layer)",
            check.layers[-1],
        )


def probe_summary(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Summarise the probe by how much the image is needed.

    Returns:
        condition (necessary, useful, irrelevant, then any other), measure (gate, correct, correct_no_image), mean,
        low, high (whole images are resampled), n; without the measures that no item has.
    """
    probe = table[table["source"] == "probe"]
    probe = probe.assign(gate=probe[gate_columns(table)[-1]])
    known = [name for name in CONDITIONS if (probe["condition"] == name).any()]
    rows = []
    for condition in [*known, *sorted(set(probe["condition"]) - set(CONDITIONS))]:
        part = probe[probe["condition"] == condition]
        measures = [name for name in MEASURES if part[name].notna().any()]
        values = part[measures].to_numpy(dtype=float)
        images = part["image_id"].where(part["image_id"] != "", part["item_id"]).to_numpy()
        for measure, interval, column in zip(
            measures, bootstrap_means(values, images, seed=seed), values.T, strict=True
        ):
            rows.append((condition, measure, *interval, int(np.isfinite(column).sum())))
    return pd.DataFrame(rows, columns=["condition", "measure", "mean", "low", "high", "n"])


def gates_metrics(table: pd.DataFrame, *, seed: int = 0) -> list[Metric]:
    """Compute all numbers of a gates benchmark; what has no words or items is left out.

    - gate_mean, gate_sd: over the captions' words (sd: a gate that does not vary has collapsed)
    - kruskal_h, epsilon_squared: differences between parts of speech
    - content_minus_function: mean gates
    - spearman_frequency, spearman_concreteness: where known
    - gate/<part of speech>
    - probe_gate/<condition>, probe_accuracy/<condition>, probe_accuracy_no_image/<condition>

    Only accuracies have a better direction. Of the others, `higher_is_better` is true where a higher value says that
    gates tell words apart (gate_sd, kruskal_h, epsilon_squared), and means nothing elsewhere.

    Raises:
        ValueError: the table has neither a caption's word nor a probe item, or no gates.
    """
    words = words_of(table)
    metrics = _caption_metrics(table, words, seed) if len(words) else []
    for row in probe_summary(table, seed=seed).itertuples():
        name = f"{MEASURES[row.measure]}/{row.condition}"
        metrics.append(_metric(name, (row.mean, row.low, row.high), row.n, row.measure != "gate"))
    if not metrics:
        raise ValueError("the predictions hold no word of a caption and no probe item")
    return metrics


def _caption_metrics(table: pd.DataFrame, words: pd.DataFrame, seed: int) -> list[Metric]:
    n = len(words)
    tagged = sorted(set(tagged_words(table)["pos"]))
    columns = [np.ones(n, dtype=bool), *((words["pos"] == pos).to_numpy() for pos in tagged)]
    values = np.where(np.stack(columns, axis=1), words["gate"].to_numpy()[:, None], np.nan)
    mean, *by_pos = bootstrap_means(values, words["item_id"].to_numpy(), seed=seed)
    metrics = [_metric("gate_mean", mean, n, False), _metric("gate_sd", _sd_interval(words, seed), n, True)]
    kruskal = kruskal_by_pos(table, seed=seed)
    if kruskal.groups:
        epsilon = (kruskal.epsilon_squared, kruskal.low, kruskal.high)
        metrics.append(_metric("kruskal_h", (kruskal.h, kruskal.h_low, kruskal.h_high), kruskal.n, True))
        metrics.append(_metric("epsilon_squared", epsilon, kruskal.n, True))
    contrast = content_function(table, seed=seed)
    if contrast.n_content and contrast.n_function:
        interval = (contrast.difference, contrast.low, contrast.high)
        metrics.append(_metric("content_minus_function", interval, contrast.n_content + contrast.n_function, False))
    for column in ("frequency", "concreteness"):
        found = spearman_with(table, column, seed=seed)
        if found.n:
            metrics.append(_metric(f"spearman_{column}", (found.rho, found.low, found.high), found.n, False))
    for pos, interval, column in zip(tagged, by_pos, values.T[1:], strict=True):
        metrics.append(_metric(f"gate/{pos}", interval, int(np.isfinite(column).sum()), False))
    return metrics


def _sd_interval(words: pd.DataFrame, seed: int) -> Interval:
    """Standard deviation of the gate across words, whole captions resampled."""
    gate = words["gate"].to_numpy()
    # Centred first: the difference of squares below would lose a small variance beside a large mean.
    centred = gate - gate.mean()
    moments = np.stack([centred**2, centred], axis=1)
    _, draws = resampled_ratios(moments, np.ones_like(moments), words["item_id"].to_numpy(), seed=seed)
    low, high = percentiles(np.sqrt(np.maximum(draws[:, :1] - draws[:, 1:] ** 2, 0)))[0]
    return float(gate.std()), low, high


def _metric(name: str, interval: Interval, n: int, higher_is_better: bool) -> Metric:
    return Metric(name, *map(float, interval), n=n, chance=None, higher_is_better=higher_is_better)
