"""The gate of each word type against its frequency or its concreteness."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from compactvl.reporting.claims import signed_interval
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import grid, legend_below
from compactvl.studies.gating.report.figures.colours import CLASS_COLOURS, CLASS_NAMES
from compactvl.studies.gating.report.results import GatingResults
from compactvl.studies.gating.report.words import first_seed, gate_words, p_value, spearman_p

TITLES = {
    "frequency": "occurrences per million words of training text (log₁₀)",
    "concreteness": "concreteness (1 abstract to 5 concrete)",
}
REASONS = {"concreteness": "no norms file is configured, so no word's concreteness is known"}
NAMED = 30
"""Word types that are named in the figure, at most."""


def gate_scatter(study: GatingResults, *, variant: str, column: str) -> Figure | NotRun:
    """Draw each word type's mean gate against ``column`` (frequency or concreteness); the area says how often it occurs.

    Spearman's ρ in the title is over all word tokens, as the paper's. The commonest types are named, as far as the names do not cover each other.
    """
    words = gate_words(study, variant)
    if words is None:
        return NotRun(f"the gates of {study.label(variant)} were not measured")
    rho = first_seed(study, variant, f"spearman_{column}")
    if rho is None:
        return NotRun(REASONS.get(column, f"the words' {column} does not vary"))
    known = words[words[column].notna()]
    types = known.groupby(["word", "word_class"], as_index=False).agg(
        gate=("gate", "mean"), x=(column, "mean"), n=("gate", "size")
    )
    figure, (axes,) = grid(1, 1, 4.0)
    for kind, colour in CLASS_COLOURS.items():
        part = types[types["word_class"] == kind]
        if len(part):
            sizes = 14 + 240 * np.sqrt(part["n"] / types["n"].max())
            look = {"color": colour, "alpha": 0.55, "linewidth": 0, "label": CLASS_NAMES[kind]}
            axes.scatter(part["x"], part["gate"], s=sizes, **look)
    numbers = signed_interval(rho[:3])
    axes.set_title(f"{study.short(variant)}: ρ = {numbers}, {p_value(spearman_p(words, column))}, {rho.n:,} words")
    axes.set_xlabel(TITLES[column])
    axes.set_ylabel("gate of the last layer")
    legend_below(figure)
    for handle in figure.legends[0].legend_handles:
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
