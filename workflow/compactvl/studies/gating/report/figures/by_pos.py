"""The gate by part of speech: boxes of the last layer, and the mean of every layer as a heat map."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from compactvl.evaluation.gate_tables import gate_columns
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import WIDTH, grid
from compactvl.studies.gating.report.figures.colours import (
    CLASS_COLOURS,
    CLASS_NAMES,
    GATE_COLOURS,
    gate_bar,
    gate_scale,
)
from compactvl.studies.gating.report.results import GatingResults
from compactvl.studies.gating.report.words import gated, parts_of_speech, pos_label


def gate_by_pos(study: GatingResults, *, variants: Sequence[str], columns: int = 2) -> Figure | NotRun:
    """Draw a box a part of speech, the one that looks most on top; one panel a variant.

    Boxes are quartiles, whiskers reach from 5% to 95%, the dot is the mean. The order is the first variant's.

    Args:
        variants: those without measured gates are left out. columns: panels side by side, at most.
    """
    tables = gated(study, variants)
    first = next(iter(tables.values()), None)
    if first is None or not (order := parts_of_speech(first)):
        return NotRun("no variant's gates on captions were measured")
    figure, panels = grid(len(tables), columns, 0.75 + 0.27 * len(order), foot=0.5, sharey=True)
    kinds = first.drop_duplicates("pos").set_index("pos")["word_class"]
    for axes, (variant, words) in zip(panels, tables.items(), strict=True):
        groups = [words.loc[words["pos"] == pos, "gate"].to_numpy() for pos in order]
        drawn = {n: group for n, group in enumerate(groups) if len(group)}
        boxes = axes.boxplot(
            list(drawn.values()), positions=list(drawn), orientation="horizontal", widths=0.62, whis=(5, 95),
            showfliers=False, showmeans=True, patch_artist=True, manage_ticks=False,
            medianprops={"color": "black", "linewidth": 1.2},
            meanprops={"marker": "o", "markersize": 3, "markerfacecolor": "white", "markeredgecolor": "black"},
        )  # fmt: skip
        for box, place in zip(boxes["boxes"], drawn, strict=True):
            box.set_facecolor(CLASS_COLOURS[kinds[order[place]]])
            box.set_alpha(0.75)
        axes.set_title(study.label(variant))
        axes.grid(axis="y", visible=False)
        axes.set_ylim(len(order) - 0.4, -0.6)
    sizes = first["pos"].value_counts()
    for axes in panels[::columns]:
        axes.set_yticks(range(len(order)), [f"{pos_label(pos)} ({sizes[pos]:,})" for pos in order])
    figure.supxlabel("gate of the last layer (low: looks at the image; high: keeps to the text)", fontsize=9.5)
    present = [kind for kind in CLASS_COLOURS if kind in set(kinds[order])]
    handles = [Patch(facecolor=CLASS_COLOURS[kind], alpha=0.75, label=CLASS_NAMES[kind]) for kind in present]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def gate_by_layer(study: GatingResults, *, variants: Sequence[str]) -> Figure | NotRun:
    """Draw the mean gate of every part of speech (rows) and layer (columns) as a heat map; one panel a variant."""
    tables = gated(study, variants)
    first = next(iter(tables.values()), None)
    if first is None or not (order := parts_of_speech(first)):
        return NotRun("no variant's gates on captions were measured")
    means = {v: t.groupby("pos")[gate_columns(t)].mean().reindex(order) for v, t in tables.items()}
    scale = gate_scale(np.concatenate([table.to_numpy().ravel() for table in means.values()]))
    layers = max(table.shape[1] for table in means.values())
    width = min(WIDTH, 2.0 + len(tables) * max(2.2, 0.5 * layers))
    figure, panels = grid(len(tables), len(tables), 0, figsize=(width, 1.5 + 0.3 * len(order)), sharey=True)
    for axes, (variant, table) in zip(panels, means.items(), strict=True):
        axes.imshow(table.to_numpy(dtype=float), cmap=GATE_COLOURS, norm=scale, aspect="auto")
        for row, column in np.ndindex(table.shape):
            value = table.iat[row, column]
            if np.isfinite(value):
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7.5)
        axes.set_title(study.label(variant), fontsize=9.5)
        axes.set_xticks(range(table.shape[1]), [str(n + 1) for n in range(table.shape[1])])
        axes.set_xlabel("layer")
        axes.grid(visible=False)
        axes.tick_params(length=0)
    panels[0].set_yticks(range(len(order)), [pos_label(pos) for pos in order])
    gate_bar(figure, scale, panels, location="bottom", shrink=0.7, aspect=40)
    return figure
