"""R@1 against the number of reranked candidates (the paper's Figure 5)."""

import re

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from compactvl.reporting.labels import label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import DIRECTION_TITLES, GREY, PALETTE, WIDTH, percent_axis


def recall_vs_pool(
    study: StudyResults,
    *,
    variants: list[str],
    first_stage: str,
    benchmarks: tuple[str, ...] = ("scenes_pools", "scenes"),
) -> Figure | NotRun:
    """Draw R@1 against the pool size, with the first stage's R@1 and the share of queries a perfect reranker could get.

    Args:
        variants: rerankers to draw, those not evaluated are left out.
        benchmarks: the first with several pools is drawn.
    """
    benchmark = next((name for name in benchmarks if len(_pools(study, variants, name)) > 1), None)
    if benchmark is None:
        return NotRun("no reranker was evaluated with several pool sizes")
    pools = _pools(study, variants, benchmark)
    variants = study.measured(benchmark, variants)
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    for axes, (direction, title) in zip(panels, DIRECTION_TITLES.items(), strict=True):
        ceiling = [study.estimate(variants[0], benchmark, f"{direction}_in_pool@pool{k}").value * 100 for k in pools]
        axes.plot(pools, ceiling, ":", color=GREY, label="perfect reranker")
        for variant, colour in zip(variants, PALETTE, strict=False):
            found = [study.estimate(variant, benchmark, f"{direction}_r1@pool{k}") for k in pools]
            axes.plot(pools, [100 * e.value for e in found], "o-", color=colour, label=label(variant))
            axes.fill_between(
                pools,
                [100 * e.low for e in found],
                [100 * e.high for e in found],
                color=colour,
                alpha=0.13,
                linewidth=0,
            )
        first = _first_stage(study, first_stage, benchmark, direction, pools)
        if first is not None:
            axes.axhline(100 * first, color=GREY, linestyle="--", linewidth=1.4, label=label(first_stage))
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(pools))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([str(pool) for pool in pools])
        axes.set_xlabel("candidates reranked, k")
        axes.set_title(title)
        percent_axis(axes)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def _pools(study: StudyResults, variants: list[str], benchmark: str) -> list[int]:
    rows = study.metrics[study.metrics["variant"].isin(variants) & (study.metrics["benchmark"] == benchmark)]
    found = {int(m[1]) for name in rows["metric"] if (m := re.fullmatch(r"t2i_r1@pool(\d+)", name))}
    return sorted(found)


def _first_stage(study: StudyResults, variant: str, benchmark: str, direction: str, pools: list[int]) -> float | None:
    """R@1 of the embedding model: on this benchmark, or on ``scenes``, whose queries are the same."""
    for name, metric in ((benchmark, f"{direction}_r1@pool{pools[-1]}"), ("scenes", f"{direction}_r1")):
        if found := study.estimate(variant, name, metric):
            return found.value
    return None
