"""Pairs a second of the online stage against the batch, by where the image tokens come from."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from compactvl.reporting.labels import label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import PALETTE, WIDTH

SOURCES = {
    "memory": "tokens in memory",
    "text": "captions as text",
    "store": "tokens read from the store",
    "online": "vision computed online",
    "reference": "",
}
MARKERS = {"memory": "o-", "text": "v-", "store": "s--", "online": "^:", "reference": "d-."}


def throughput(study: StudyResults, *, variants: list[str]) -> Figure | NotRun:
    """Draw pairs/s against the batch, one line a variant and source, on log axes; bars are the quartiles of the calls.

    Args:
        variants: those not timed are left out; references (other libraries) are always drawn.
    """
    rows = study.efficiency
    rows = rows[rows["variant"].isin(variants) | (rows["source"] == "reference")]
    if rows.empty:
        return NotRun("nothing was timed")
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    order = {name: place for place, name in enumerate([*variants, *rows["variant"].unique()])}
    named = sorted(rows.groupby(["variant", "source"], sort=False), key=lambda item: order[item[0][0]])
    colours = {}
    for (variant, source), part in named:
        colour = colours.setdefault(variant, PALETTE[len(colours) % len(PALETTE)])
        part = part.sort_values("batch")
        rate = part["pairs_per_s"]
        bars = [rate - 1000 * part["pairs"] / part["high"], 1000 * part["pairs"] / part["low"] - rate]
        name = f"{label(variant)}: {SOURCES[source]}" if SOURCES.get(source) else label(variant)
        axes.errorbar(
            part["batch"], rate, [b.clip(lower=0) for b in bars], fmt=MARKERS[source], color=colour, label=name
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    batches = sorted(rows["batch"].unique())
    axes.xaxis.set_major_locator(FixedLocator(batches))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(batch) for batch in batches])
    axes.set_xlabel("pairs in a batch")
    axes.set_ylabel("pairs / s")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
