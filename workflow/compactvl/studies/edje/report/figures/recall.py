"""R@1 of both directions: by variant, by tokens an image, by candidates reranked, and what 8-bit tokens change."""

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from compactvl.evaluation.retrieval import query_hits
from compactvl.reporting.paired import Measure, difference
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    grid,
    interval_line,
    interval_points,
    interval_rows,
    legend_below,
    log_ticks,
    percent_axis,
)
from compactvl.studies.edje.report.results import SCENES, TITLES, EdjeResults

R1 = "R@1 (%)"
STORAGES = ("int8", "fp8")
POOLS = f"{SCENES}_pools"


def ablation(
    study: EdjeResults, *, variants: Sequence[str], first_stage: str, reference: str | None = None
) -> Figure | NotRun:
    """Draw one row a variant, R@1 with its 95% interval; the first stage is a dashed line.

    Args:
        variants: top to bottom; those not evaluated are left out. reference: the variant drawn in its own colour.
    """
    run = study.measured(SCENES, variants)
    if len(run) < 2:
        return NotRun(f"fewer than two of these variants were evaluated on {SCENES}")
    found = {title: [study.estimate(v, SCENES, f"{d}_r1") for v in run] for d, title in TITLES.items()}
    figure, panels = interval_rows(
        [study.label(variant) for variant in run], found, lambda row, _: ORANGE if run[row] == reference else BLUE
    )
    for axes, direction in zip(panels, TITLES, strict=True):
        first = study.estimate(first_stage, SCENES, f"{direction}_r1")
        if first and first_stage not in run:
            name = study.label(first_stage)
            axes.axvline(100 * first.value, color=GREY, linestyle="--", linewidth=1.2, label=name)
        percent_axis(axes, R1, which="x")
    legend_below(figure)
    return figure


def quantisation(study: EdjeResults, *, variants: Sequence[str]) -> Figure | NotRun:
    """Draw what 8-bit tokens add to R@1 by variant and storage, query by query, with 95% intervals; the model is the same.

    Args:
        variants: top to bottom; a row each of those with an 8-bit result.
    """
    rows = [(v, storage) for v in variants for storage in STORAGES if study.measured(f"{SCENES}_{storage}", [v])]
    if not rows:
        return NotRun("no variant was evaluated with int8 or fp8 tokens")
    found = {
        title: [
            difference(study, (Measure(v, f"{SCENES}_{s}", f"{d}_r1"), Measure(v, SCENES, f"{d}_r1"))) for v, s in rows
        ]
        for d, title in TITLES.items()
    }
    names = [f"{study.label(variant)}, {storage}" for variant, storage in rows]
    figure, panels = interval_rows(names, found, lambda row, _: PALETTE[STORAGES.index(rows[row][1])])
    for axes in panels:
        axes.axvline(0, color=GREY, linewidth=1)
        axes.set_xlabel("R@1 − fp16's (points)")
    return figure


def recall_vs_tokens(study: EdjeResults, *, arms: dict[str, int], first_stage: str) -> Figure | NotRun:
    """Draw R@1 against the tokens kept an image (the paper's Figure 4), with the local adapter at its own count.

    Args:
        arms: variant → tokens, :meth:`EdjeResults.token_arms`. first_stage: the embedding model, a line.
    """
    if len(arms) < 2:
        return NotRun(f"fewer than two token counts were evaluated on {SCENES}")
    figure, panels = grid(2, 2, 3.1)
    every = study.tokens("local")
    for axes, (direction, title) in zip(panels, TITLES.items(), strict=True):
        found = [study.estimate(variant, SCENES, f"{direction}_r1") for variant in arms]
        interval_points(axes, arms.values(), found, fmt="o-", color=BLUE, label="EDJE, compressed")
        local, ticks = study.estimate("local", SCENES, f"{direction}_r1"), list(arms.values())
        if local and every:
            interval_points(axes, [every], [local], fmt="s", color=GREEN, label=study.label("local"))
            ticks.append(every)
        if first := study.estimate(first_stage, SCENES, f"{direction}_r1"):
            name = study.label(first_stage)
            axes.axhline(100 * first.value, color=GREY, linestyle="--", linewidth=1.4, label=name)
            axes.axhspan(100 * first.low, 100 * first.high, color=GREY, alpha=0.12, linewidth=0)
        log_ticks(axes, ticks, base=2)
        axes.set_xlim(min(ticks) / 1.25, max(ticks) * 1.25)
        axes.set_xlabel("tokens an image")
        axes.set_title(title)
        percent_axis(axes, R1)
    legend_below(figure)
    return figure


def recall_vs_pool(study: EdjeResults, *, variants: Sequence[str], first_stage: str) -> Figure | NotRun:
    """Draw R@1 against the number of reranked candidates (the paper's Figure 5).

    Beside it are the first stage's R@1 on the same queries and the share of them a perfect reranker could get.

    Args:
        variants: rerankers to draw, those not evaluated are left out. first_stage: what proposed their candidates.
    """
    benchmark = next((name for name in (POOLS, SCENES) if len(_pools(study, variants, name)) > 1), None)
    if benchmark is None:
        return NotRun("no reranker was evaluated with several pool sizes")
    pools, run = _pools(study, variants, benchmark), study.measured(benchmark, variants)
    candidates = study.predictions(run[0], benchmark).values()
    figure, panels = grid(2, 2, 3.2)
    for axes, (direction, title) in zip(panels, TITLES.items(), strict=True):
        ceiling = [100 * study.estimate(run[0], benchmark, f"{direction}_in_pool@pool{k}").value for k in pools]
        axes.plot(pools, ceiling, ":", color=GREY, label="perfect reranker")
        for variant, colour in zip(run, PALETTE, strict=False):
            found = [study.estimate(variant, benchmark, f"{direction}_r1@pool{k}") for k in pools]
            interval_line(axes, pools, found, color=colour, label=study.label(variant))
        # A pool of one candidate is in the first stage's order.
        first = np.mean([query_hits(table, direction, pool=1, k=1).mean() for table in candidates])
        axes.axhline(100 * first, color=GREY, linestyle="--", linewidth=1.4, label=study.label(first_stage))
        log_ticks(axes, pools)
        axes.set_xlabel("candidates reranked, k")
        axes.set_title(title)
        percent_axis(axes, R1)
    legend_below(figure)
    return figure


def _pools(study: EdjeResults, variants: Sequence[str], benchmark: str) -> list[int]:
    rows = study.metrics[study.metrics["variant"].isin(list(variants)) & (study.metrics["benchmark"] == benchmark)]
    return sorted({int(m[1]) for name in rows["metric"] if (m := re.fullmatch(r"t2i_r1@pool(\d+)", name))})
