"""Figures of ESsEN's report."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from compactvl.reporting.paired import Measure, difference
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import (
    BLUE,
    GREY,
    ORANGE,
    PALETTE,
    grid,
    interval_line,
    interval_points,
    legend_below,
    log_ticks,
    percent_axis,
)  # fmt: skip
from compactvl.studies.essen.report.results import EssenResults


def data_curve(study: EssenResults, task: str, *, one: str, two: str) -> Figure | NotRun:
    """Draw both arms' scores, and the paired difference, against the share of the training images.

    Args:
        one, two: a variant of one tower, and one of two, on all of the data.
    """
    arms = {variant: study.measured(task, study.shares(variant)) for variant in (one, two)}
    if any(len(own) < 2 for own in arms.values()):
        return NotRun("there are no runs on shares of the data for both arms")
    metric = study.score(task)
    figure, (scores, gaps) = grid(2, 2, 2.9, foot=0.4)
    for (variant, own), colour in zip(arms.items(), (BLUE, ORANGE), strict=True):
        places = [study.share(name) for name in own]
        found = [study.estimate(name, task, metric) for name in own]
        interval_line(scores, places, found, color=colour, label=study.label(variant))
    by_share = [{study.share(name): name for name in own} for own in arms.values()]
    both = sorted(by_share[0].keys() & by_share[1].keys())
    found = [difference(study, tuple(Measure(own[share], task, metric) for own in by_share[::-1])) for share in both]
    interval_points(gaps, both, found, color=GREY)
    gaps.axhline(0, color="black", linewidth=0.8)
    for panel in (scores, gaps):
        log_ticks(panel, both, lambda share: "1" if share == 1 else f"1/{round(1 / share)}")
        panel.set_xlabel("share of the training images")
    percent_axis(scores, f"{study.metric_label(metric)} (%)")
    percent_axis(gaps, f"{study.label(two)} − {study.label(one).lower()} (points)")
    legend_below(figure)
    return figure


def by_size(
    study: EssenResults, task: str, groups: dict[str, Sequence[str]], part: str | None = None
) -> Figure | NotRun:
    """Draw scores against parameters, of all or of one part; a colour a group, each variant named at its point."""
    metric = study.score(task)
    drawn = {name: [one for one in study.measured(task, own) if study.size(one, part)] for name, own in groups.items()}
    if not any(drawn.values()):
        return NotRun("none of these variants was evaluated and counted")
    figure, (axes,) = grid(1, 1, 3.2, foot=0.3)
    for (name, own), colour in zip(drawn.items(), PALETTE, strict=False):
        places = [study.size(one, part) / 1e6 for one in own]
        interval_points(axes, places, [study.estimate(one, task, metric) for one in own], color=colour, label=name)
        for number, (place, one) in enumerate(zip(places, own, strict=True)):
            value, up = 100 * study.estimate(one, task, metric).value, 3 if number % 2 else -9
            axes.annotate(study.label(one), (place, value), xytext=(5, up), textcoords="offset points", fontsize=7)
    axes.set_xlabel(f"parameters of {part or 'the whole model'} (M)")
    axes.margins(x=0.18)
    percent_axis(axes, f"{study.metric_label(metric)} (%)")
    if len(drawn) > 1:
        legend_below(figure)
    return figure
