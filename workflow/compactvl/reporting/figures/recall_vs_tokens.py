"""R@1 against the tokens kept an image (the paper's Figure 4)."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from compactvl.reporting.labels import label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import BLUE, DIRECTION_TITLES, GREEN, GREY, WIDTH, percent_axis


def recall_vs_tokens(study: StudyResults, *, first_stage: str, benchmark: str = "scenes") -> Figure | NotRun:
    """Draw R@1 of every ``compressed_<m>`` against m, the local adapter at its own count, the first stage as a line.

    Args:
        first_stage: the embedding model.
    """
    points = study.compressed(benchmark)
    if len(points) < 2:
        return NotRun(f"fewer than two token counts were evaluated on {benchmark}")
    local_tokens = study.tokens("local")
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.1))
    for axes, (direction, title) in zip(panels, DIRECTION_TITLES.items(), strict=True):
        _draw(axes, study, points, direction, benchmark)
        ticks = list(points.values())
        local = study.estimate("local", benchmark, f"{direction}_r1")
        if local and local_tokens:
            axes.errorbar(
                [local_tokens], [100 * local.value], _bars([local]), fmt="s", color=GREEN, label=label("local")
            )
            ticks.append(local_tokens)
        first = study.estimate(first_stage, benchmark, f"{direction}_r1")
        if first:
            axes.axhline(100 * first.value, color=GREY, linestyle="--", linewidth=1.4, label=label(first_stage))
            axes.axhspan(100 * first.low, 100 * first.high, color=GREY, alpha=0.12, linewidth=0)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([str(tick) for tick in ticks])
        axes.set_xlim(min(ticks) / 1.25, max(ticks) * 1.25)
        axes.set_xlabel("tokens an image")
        axes.set_title(title)
        percent_axis(axes)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def _draw(axes: Axes, study: StudyResults, points: dict[str, int], direction: str, benchmark: str) -> None:
    estimates = [study.estimate(variant, benchmark, f"{direction}_r1") for variant in points]
    values = [100 * e.value for e in estimates]
    axes.errorbar(list(points.values()), values, _bars(estimates), fmt="o-", color=BLUE, label="EDJE, compressed")


def _bars(estimates: list) -> list[list[float]]:
    """Lengths of the error bars below and above, in per cent."""
    return [[100 * (e.value - e.low) for e in estimates], [100 * (e.high - e.value) for e in estimates]]
