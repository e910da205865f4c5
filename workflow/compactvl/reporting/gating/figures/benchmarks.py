"""What each design choice changes: the paired difference from the base variant, benchmark by benchmark."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from compactvl.reporting.gating.claims import BENCHMARKS
from compactvl.reporting.gating.items import LANGUAGE, Score, difference, has_task
from compactvl.reporting.gating.labels import label, short, task_label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import BLUE, GREEN, GREY, ORANGE, WIDTH


def choices(study: StudyResults, *, variants: Sequence[str], main: str) -> Figure | NotRun:
    """Draw variant minus ``main`` in points, paired by item, with 95% intervals; one panel a benchmark.

    Green is clearly better, orange clearly worse, blue neither.

    Args:
        variants: rows, top to bottom; those not scored are left out.
    """
    run = [variant for variant in variants if variant != main and study.has(variant, LANGUAGE)]
    tasks = [t for t in BENCHMARKS if has_task(study, main, t) and any(has_task(study, v, t) for v in run)]
    if not tasks:
        return NotRun(f"no other variant can be compared with {label(main)}")
    size = (WIDTH, 1.0 + 0.25 * len(run))
    figure, panels = plt.subplots(1, len(tasks), figsize=size, sharey=True, squeeze=False)
    rows = np.arange(len(run))
    for axes, task in zip(panels.flat, tasks, strict=True):
        for row, variant in zip(rows, run, strict=True):
            found = difference(study, Score(variant, task), Score(main, task))
            if found is None:
                continue
            mean, low, high = (100 * value for value in found)
            colour = GREEN if low > 0 else ORANGE if high < 0 else BLUE
            axes.errorbar([mean], [row], xerr=[[mean - low], [high - mean]], fmt="o", color=colour, markersize=4,
                          linewidth=1.4)  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=1)
        axes.set_title(task_label(task))
        axes.grid(axis="y", visible=False)
        axes.set_ylim(len(run) - 0.4, -0.6)
    panels[0, 0].set_yticks(rows, [label(variant) for variant in run])
    figure.supxlabel(f"points more or less than {short(main).lower()}", fontsize=9.5)
    return figure
