"""Scores on pairs of images with the same words: text, image and group score by kind of exchange."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from compactvl.evaluation.winoground import CHANCE
from compactvl.reporting.labels import KINDS, label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import PALETTE, WIDTH, percent_axis

TITLES = {"text": "Text score", "image": "Image score", "group": "Group score"}


def swaps(study: StudyResults, *, variants: list[str], benchmark: str = "swaps") -> Figure | NotRun:
    """Draw the three scores by kind with 95% intervals, one colour a variant; the dotted line is chance.

    Args:
        variants: those not evaluated are left out.
    """
    variants = study.measured(benchmark, variants)
    if not variants:
        return NotRun(f"no variant was evaluated on {benchmark}")
    rows = study.metrics[(study.metrics["benchmark"] == benchmark) & study.metrics["metric"].str.startswith("text/")]
    kinds = sorted({name.removeprefix("text/") for name in rows["metric"]})
    figure, panels = plt.subplots(1, 3, figsize=(WIDTH, 3.2), sharey=True)
    groups = ["", *kinds]
    places = np.arange(len(groups))
    width = 0.8 / len(variants)
    for axes, (score, title) in zip(panels, TITLES.items(), strict=True):
        for number, (variant, colour) in enumerate(zip(variants, PALETTE, strict=False)):
            names = [f"{score}/{kind}" if kind else score for kind in groups]
            found = {i: e for i, name in enumerate(names) if (e := study.estimate(variant, benchmark, name))}
            values = [100 * e.value for e in found.values()]
            bars = [
                [100 * (e.value - e.low) for e in found.values()],
                [100 * (e.high - e.value) for e in found.values()],
            ]
            x = places[list(found)] + (number - (len(variants) - 1) / 2) * width
            axes.bar(
                x, values, width * 0.92, yerr=bars, color=colour, label=label(variant), error_kw={"linewidth": 0.9}
            )
        axes.axhline(100 * CHANCE[score], color="black", linestyle=":", linewidth=1.2, label="chance")
        axes.set_title(title)
        axes.set_xticks(places, ["all", *(KINDS.get(kind, kind) for kind in kinds)], rotation=35, ha="right")
        axes.grid(axis="x", visible=False)
        axes.set_ylim(0, 100)
    percent_axis(panels[0], "items right (%)")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(4, len(names)))
    return figure
