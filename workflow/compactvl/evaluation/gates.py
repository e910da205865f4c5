"""When the model looks and when it listens: the gates' metrics, from the predictions table of a gates benchmark.

The table's columns are in :mod:`compactvl.evaluation.gate_tables`.
"""

import logging

import numpy as np
import pandas as pd

from compactvl.evaluation.gate_tables import COLLAPSE, image_or_item, tagged, words_of
from compactvl.evaluation.gate_tests import kruskal_by_pos, spearman_with
from compactvl.evaluation.results import Metric
from compactvl.evaluation.statistics import Interval, mean_difference, mean_metrics, percentiles, resampled_ratios

log = logging.getLogger(__name__)
CONDITIONS = ("necessary", "useful", "irrelevant")
"""How much a probe item needs the image."""
MEASURES = {"gate": "probe_gate", "correct": "probe_accuracy", "correct_no_image": "probe_accuracy_no_image"}
"""Column of a probe item → metric."""


def gates_metrics(table: pd.DataFrame) -> list[Metric]:
    """Compute all numbers of a gates benchmark; what has no words or items is left out.

    - gate_mean, gate_sd: over the captions' words (sd: a gate that does not vary has collapsed, which is also logged)
    - kruskal_h, epsilon_squared: differences between parts of speech
    - content_minus_function: mean gates
    - spearman_frequency, spearman_concreteness: where known
    - gate/<part of speech>
    - probe_gate/<condition>, probe_accuracy/<condition>, probe_accuracy_no_image/<condition>: whole images resampled

    Only accuracies have a better direction. Of the others, `higher_is_better` is true where a higher value says that
    gates tell words apart (gate_sd, kruskal_h, epsilon_squared), and means nothing elsewhere.

    Raises:
        ValueError: the table has neither a caption's word nor a probe item, or no gates.
    """
    words, probe = words_of(table), words_of(table, "probe")
    metrics = _caption_metrics(words) if len(words) else []
    conditions = set(probe["condition"])
    for condition in [*(name for name in CONDITIONS if name in conditions), *sorted(conditions - set(CONDITIONS))]:
        part = probe[probe["condition"] == condition]
        columns = {f"{metric}/{condition}": part[column] for column, metric in MEASURES.items()}
        measured = {name: column for name, column in columns.items() if column.notna().any()}
        metrics += mean_metrics(measured, image_or_item(part), lower_is_better=[f"probe_gate/{condition}"])
    if not metrics:
        raise ValueError("the predictions hold no word of a caption and no probe item")
    return metrics


def _caption_metrics(words: pd.DataFrame) -> list[Metric]:
    n, known = len(words), tagged(words)
    gates = {"gate_mean": words["gate"]}
    gates |= {f"gate/{pos}": words["gate"].where(words["pos"] == pos) for pos in sorted(set(known["pos"]))}
    mean, *by_pos = mean_metrics(gates, words["item_id"], lower_is_better=gates)
    spread = _standard_deviation(words)
    if spread[0] < COLLAPSE:
        log.warning(
            "the gates have collapsed: over all words they vary by %.1g (standard deviation, last layer)", spread[0]
        )
    metrics = [mean, Metric("gate_sd", *spread, n, None, True)]
    if len(known):
        for name, interval in zip(("kruskal_h", "epsilon_squared"), kruskal_by_pos(words), strict=True):
            metrics.append(Metric(name, *interval, len(known), None, True))
    content, function = words["word_class"] == "content", words["word_class"] == "function"
    if content.any() and function.any():
        interval = mean_difference(words["gate"], content, function, words["item_id"])
        metrics.append(Metric("content_minus_function", *interval, int((content | function).sum()), None, False))
    for column in ("frequency", "concreteness"):
        if count := int(words[column].notna().sum()):
            metrics.append(Metric(f"spearman_{column}", *spearman_with(words, column), count, None, False))
    return metrics + by_pos


def _standard_deviation(words: pd.DataFrame) -> Interval:
    """Standard deviation of the gate across words, whole captions resampled."""
    gate = words["gate"].to_numpy()
    # Centred first: the difference of squares below would lose a small variance beside a large mean.
    centred = gate - gate.mean()
    moments = np.stack([centred**2, centred], axis=1)
    _, draws = resampled_ratios(moments, np.ones_like(moments), words["item_id"])
    return float(gate.std()), *percentiles(np.sqrt(np.maximum(draws[:, :1] - draws[:, 1:] ** 2, 0)))[0]
