"""The gate of each word type against its frequency or its concreteness."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from compactvl.reporting.gating.figures.colours import CLASS_COLOURS, CLASS_NAMES
from compactvl.reporting.gating.labels import label, short
from compactvl.reporting.gating.numbers import gate_points, p_value
from compactvl.reporting.gating.words import first_seed, gate_words, spearman_p
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import WIDTH

TITLES = {
    "frequency": "occurrences per million words of training text (log₁₀)",
    "concreteness": "concreteness (1 abstract to 5 concrete)",
}
REASONS = {"concreteness": "no norms file is configured, so no word's concreteness is known"}
NAMED = 30
"""Word types that are named in the figure, at most."""


def gate_scatter(study: StudyResults, *, variant: str, column: str) -> Figure | NotRun:
    """Draw each word type's mean gate against ``column`` (frequency or concreteness); the area says how often it occurs.

    Spearman's ρ in the title is over all word tokens, as the paper's. The commonest types are named, as far as the names do not cover each other.
    """
    words = gate_words(study, variant)
    if words is None:
        return NotRun(f"the gates of {label(variant)} were not measured")
    rho = first_seed(study, variant, f"spearman_{column}")
    if rho is None:
        return NotRun(REASONS.get(column, f"the words' {column} does not vary"))
    known = words[words[column].notna()]
    types = known.groupby(["word", "word_class"], as_index=False).agg(
        gate=("gate", "mean"), x=(column, "mean"), n=("gate", "size")
    )
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for kind, colour in CLASS_COLOURS.items():
        part = types[types["word_class"] == kind]
        if len(part):
            sizes = 14 + 240 * np.sqrt(part["n"] / types["n"].max())
            axes.scatter(
                part["x"], part["gate"], s=sizes, color=colour, alpha=0.55, linewidth=0, label=CLASS_NAMES[kind]
            )
    numbers = gate_points((rho.value, rho.low, rho.high))
    axes.set_title(f"{short(variant)}: ρ = {numbers}, {p_value(spearman_p(words, column))}, {rho.n:,} words")
    axes.set_xlabel(TITLES[column])
    axes.set_ylabel("gate of the last layer")
    legend = figure.legend(loc="outside lower center", ncols=3)
    for handle in legend.legend_handles:
        handle.set_sizes([40])
    _name(figure, axes, types)
    return figure


def _name(figure: Figure, axes: Axes, types: pd.DataFrame) -> None:
    """Write the commonest words on their dots; a word that would lie on another one is left out."""
    figure.draw_without_rendering()
    taken: list[Bbox] = []
    for row in types.sort_values("n", ascending=False, kind="stable").itertuples():
        name = axes.annotate(row.word, (row.x, row.gate), fontsize=8, ha="center", va="center")
        box = name.get_window_extent()
        if len(taken) == NAMED or any(box.overlaps(other) for other in taken):
            name.remove()
        else:
            taken.append(box)
