"""What 8-bit tokens cost: R@1 with fp16, int8 and fp8 storage."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from compactvl.reporting.labels import label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import DIRECTION_TITLES, PALETTE, WIDTH, percent_axis

STORAGE = {"fp16": "scenes", "int8": "scenes_int8", "fp8": "scenes_fp8"}
OFFSETS = (0.26, 0.0, -0.26)


def quantisation(study: StudyResults, *, variants: list[str]) -> Figure | NotRun:
    """Draw R@1 a variant and storage with 95% intervals; the same model, the same queries.

    Args:
        variants: top to bottom; those without an 8-bit result are left out.
    """
    variants = [v for v in variants if any(study.has(v, STORAGE[name]) for name in ("int8", "fp8"))]
    if not variants:
        return NotRun("no variant was evaluated with int8 or fp8 tokens")
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 1.3 + 0.62 * len(variants)), sharey=True)
    rows = np.arange(len(variants))[::-1]
    for axes, (direction, title) in zip(panels, DIRECTION_TITLES.items(), strict=True):
        for offset, (storage, benchmark), colour in zip(OFFSETS, STORAGE.items(), PALETTE, strict=False):
            found = {
                row: e
                for row, v in zip(rows, variants, strict=True)
                if (e := study.estimate(v, benchmark, f"{direction}_r1"))
            }
            if not found:
                continue
            values = [100 * e.value for e in found.values()]
            bars = [
                [100 * (e.value - e.low) for e in found.values()],
                [100 * (e.high - e.value) for e in found.values()],
            ]
            places = np.array(list(found)) + offset
            axes.errorbar(values, places, xerr=bars, fmt="o", color=colour, label=storage)
            for place, estimate in zip(places, found.values(), strict=True):
                axes.annotate(
                    f"{100 * estimate.value:.1f}",
                    (100 * estimate.high, place),
                    xytext=(4, 0),
                    textcoords="offset points",
                    fontsize=8,
                    va="center",
                )
        axes.margins(x=0.14)
        axes.grid(axis="y", visible=False)
        axes.set_ylim(-0.6, len(variants) - 0.4)
        axes.set_title(title)
        percent_axis(axes, which="x")
    panels[0].set_yticks(rows, [label(variant) for variant in variants])
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, title="token storage")
    return figure
