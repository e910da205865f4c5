"""Scores and gates against the share of the pool."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from compactvl.reporting.gating.items import LANGUAGE, language_tasks
from compactvl.reporting.gating.labels import task_label
from compactvl.reporting.gating.words import GATES, gated
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import GREY, PALETTE, WIDTH, percent_axis

GATE_PANEL = "content_minus_function"


def scaling(study: StudyResults, *, arms: Mapping[str, Mapping[float, str]]) -> Figure | NotRun:
    """Draw every task, and how far content and function words' gates are apart, against the share of the pool.

    Args:
        arms: name → {share of the pool: variant}; points that were not run are left out.
    """
    run = {arm: {s: v for s, v in sorted(vs.items()) if study.has(v, LANGUAGE)} for arm, vs in arms.items()}
    run = {arm: variants for arm, variants in run.items() if len(variants) > 1}
    if not run:
        return NotRun("no variant was run on two shares of the pool")
    all_variants = [variant for variants in run.values() for variant in variants.values()]
    tasks = language_tasks(study, all_variants)
    gates = gated(study, all_variants)
    panels = [*tasks, *([GATE_PANEL] if gates else [])]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 2.15 * rows + 0.4), squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        for (arm, variants), colour in zip(run.items(), PALETTE, strict=False):
            _line(axes, {s: _point(study, v, panel) for s, v in variants.items()}, colour, arm)
        _finish(study, axes, panel, all_variants, sorted({share for variants in run.values() for share in variants}))
    handles, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def _point(study: StudyResults, variant: str, panel: str) -> tuple[float, float, float] | None:
    found = study.estimate(variant, GATES if panel == GATE_PANEL else LANGUAGE, panel)
    if found is None:
        return None
    scale = 1 if found.chance is None else 100
    return scale * found.value, scale * found.low, scale * found.high


def _line(axes: Axes, points: dict[float, tuple[float, float, float] | None], colour: str, name: str) -> None:
    known = {share: point for share, point in points.items() if point is not None}
    if not known:
        axes.plot([], [], "o-", color=colour, label=name)
        return
    value, low, high = np.array(list(known.values())).T
    axes.fill_between(list(known), low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(list(known), value, "o-", color=colour, label=name, markersize=4)


def _finish(study: StudyResults, axes: Axes, panel: str, variants: list[str], shares: list[float]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(shares))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"1/{round(1 / share)}" if share < 1 else "1"))
    axes.set_xlabel("share of the pool")
    if panel == GATE_PANEL:
        axes.axhline(0, color=GREY, linestyle=":", linewidth=1.1)
        axes.set_title("Gate, content − function")
        return
    axes.set_title(task_label(panel))
    chance = next(e.chance for v in variants if (e := study.estimate(v, LANGUAGE, panel)))
    if chance is None:
        axes.set_ylabel("perplexity")
        return
    percent_axis(axes, "right (%)")
    axes.axhline(100 * chance, color=GREY, linestyle=":", linewidth=1.1)
