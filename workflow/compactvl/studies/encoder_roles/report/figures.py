"""Figures of the report."""

import numpy as np
from matplotlib.figure import Figure

from compactvl.evaluation.suite import OVERALL
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import BLUE, GREY, ORANGE, PALETTE, WIDTH, grid, interval_points, legend_below
from compactvl.studies.encoder_roles import game
from compactvl.studies.encoder_roles.report.results import rank_changes
from compactvl.studies.encoder_roles.report.tables import NO_SCORES, Study, unit


def capacity_necessity(study: Study) -> Figure | NotRun:
    """Draw every encoder's Necessity against its Capacity; lines at the means cut the plane into roles."""
    scores = study.scores.get(OVERALL)
    if scores is None:
        return NO_SCORES
    scale = unit(scores)
    found = scores.intervals(game.capacity), scores.intervals(game.necessity)
    figure, (axes,) = grid(1, 1, 3.6)
    for name, x, y, colour in zip(scores.pool, *found, PALETTE * 2, strict=False):
        bars = {}
        if not np.isnan(x[1]):
            bars = {axis: [[scale * (v[0] - v[1])], [scale * (v[2] - v[0])]] for axis, v in (("xerr", x), ("yerr", y))}
        axes.errorbar(scale * x[0], scale * y[0], fmt="o", color=colour, **bars)
        axes.annotate(name, (scale * x[0], scale * y[0]), xytext=(6, 6), textcoords="offset points", color=colour)
    middle = [scale * float(np.nanmean([one[0] for one in values])) for values in found]
    axes.axvline(middle[0], color=GREY, linewidth=0.8, linestyle=":")
    axes.axhline(middle[1], color=GREY, linewidth=0.8, linestyle=":")
    corners = {
        (0.98, 0.97): "anchor",
        (0.02, 0.97): "complement",
        (0.98, 0.03): "replaceable",
        (0.02, 0.03): "only cost",
    }
    for (x, y), role in corners.items():
        place = {"ha": "right" if x > 0.5 else "left", "va": "top" if y > 0.5 else "bottom"}
        axes.text(x, y, role, transform=axes.transAxes, color=GREY, style="italic", **place)
    axes.set_xlabel("Capacity: score alone")
    axes.set_ylabel("Necessity: loss without it")
    axes.margins(0.18)
    return figure


def bump(study: Study) -> Figure | NotRun:
    """Draw the encoders' places by Capacity, by Necessity retrained, and by Necessity masked."""
    scores = study.scores.get(OVERALL)
    if scores is None:
        return NO_SCORES
    orders = {"Capacity": game.capacity(scores.value), "Necessity,\nretrained": game.necessity(scores.value)}
    for fill in ("zero", "mean"):
        if (masked := study.scores.get(f"{fill}:{OVERALL}")) is not None:
            orders[f"Necessity,\nmasked by {fill}"] = game.necessity(masked.value)
    places = np.array([(-one).argsort().argsort() + 1 for one in orders.values()])
    figure, (axes,) = grid(1, 1, 0.9 + 0.42 * len(scores.pool))
    for i, (name, colour) in enumerate(zip(scores.pool, PALETTE * 2, strict=False)):
        axes.plot(range(len(orders)), places[:, i], "o-", color=colour, linewidth=2, markersize=7)
        for x, ha, shift in ((0, "right", -9), (len(orders) - 1, "left", 9)):
            place = {"xytext": (shift, 0), "textcoords": "offset points", "ha": ha, "va": "center"}
            axes.annotate(name, (x, places[x, i]), color=colour, **place)
    axes.set_xticks(range(len(orders)), list(orders))
    axes.set_yticks(range(1, len(scores.pool) + 1))
    axes.set_ylim(len(scores.pool) + 0.4, 0.6)
    axes.set_xlim(-0.6, len(orders) - 0.4)
    axes.set_ylabel("place")
    axes.grid(visible=False)
    return figure


def subsets(study: Study) -> Figure | NotRun:
    """Draw every subset's score as a bar over the encoders it has, from the best on."""
    scores = study.scores.get(OVERALL)
    if scores is None:
        return NO_SCORES
    scale, known = unit(scores), np.flatnonzero(np.isfinite(scores.value))
    order = known[np.argsort(-scores.value[known])]
    found = scores.intervals(lambda values: values)
    figure, (upper, lower) = grid(2, 1, 2.2, sharex=True, gridspec_kw={"height_ratios": [2.4, 0.32 * len(scores.pool)]})
    colours = [PALETTE[int(mask).bit_count() % len(PALETTE)] for mask in order]
    upper.bar(range(len(order)), scale * scores.value[order], color=colours, width=0.7)
    if scores.draws is not None:
        interval_points(
            upper, range(len(order)), [found[mask] for mask in order], scale=scale, fmt="none", color="#222222"
        )
    upper.set_ylabel("overall score")
    for row, _ in enumerate(scores.pool):
        there = [bool(mask >> row & 1) for mask in order.tolist()]
        lower.scatter(
            range(len(order)),
            [row] * len(order),
            s=16,
            color=[colour if t else "#DDDDDD" for t, colour in zip(there, colours, strict=True)],
        )
    lower.set_yticks(range(len(scores.pool)), scores.pool)
    lower.set_ylim(len(scores.pool) - 0.5, -0.5)
    lower.set_xticks([])
    lower.grid(visible=False)
    return figure


def synergy_map(study: Study) -> Figure | NotRun:
    """Draw what each pair scores beyond its better encoder."""
    scores = study.scores.get(OVERALL)
    if scores is None:
        return NO_SCORES
    values = unit(scores) * game.synergy(scores.value)
    largest = float(np.nanmax(np.abs(values)))
    figure, (axes,) = grid(1, 1, 3.4, figsize=(0.62 * WIDTH, 3.4))
    shown = axes.imshow(values, cmap="PuOr", vmin=-largest, vmax=largest)
    for i, j in np.argwhere(np.isfinite(values)):
        dark = abs(values[i, j]) > 0.65 * largest
        axes.text(
            j, i, f"{values[i, j]:+.1f}".replace("-", "−"), ha="center", va="center", color="white" if dark else "black"
        )
    axes.set_xticks(range(len(scores.pool)), scores.pool, rotation=30, ha="right")
    axes.set_yticks(range(len(scores.pool)), scores.pool)
    axes.grid(visible=False)
    figure.colorbar(shown, ax=axes, label="points beyond the better of the two", shrink=0.85)
    return figure


def rank_figure(study: Study) -> Figure | NotRun:
    """Draw, for every pair, the score against each encoder's effective rank in the pair as a share of that alone."""
    table = rank_changes(study) if hasattr(study, "encoders") else None
    if table is None or table.empty or table[["a_rank", "b_rank"]].isna().all(axis=None):
        return NotRun("no pair has effective ranks")
    figure, (axes,) = grid(1, 1, 3.2, foot=0.4)
    for encoder, colour in zip(study.pool, PALETTE * 2, strict=False):
        parts = [
            (row[f"{side}_rank"], 100 * row["score"])
            for _, row in table.iterrows()
            for side in ("a", "b")
            if row[side] == encoder
        ]
        axes.plot(*zip(*parts, strict=True), "o", color=colour, label=encoder)
    axes.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("effective rank in the pair / alone")
    axes.set_ylabel("the pair's overall score")
    legend_below(figure, ncols=5)
    return figure


def cost(study: Study) -> Figure | NotRun:
    """Draw every subset's score against its parameters and against the time its encoders take; the best pair is marked."""
    scores = study.scores.get(OVERALL)
    times = {} if scores is None else {name: study.milliseconds(name) for name in scores.pool}
    by_set = {own: name for name, own in getattr(study, "encoders", {}).items()}
    if scores is None or not by_set or not all(times.values()):
        return NotRun("sizes or encoding times are not on disk")
    best = int(game.best_of_size(scores.value)[1])
    figure, panels = grid(2, 2, 2.9)
    for axes, title in zip(panels, ("trained parameters, thousands", "encoding, ms an image"), strict=True):
        for own, name in by_set.items():
            mask = game.mask_of(own, scores.pool)
            size = study.size(name)
            x = None if size is None else size / 1000
            if axes is panels[1]:
                x = sum(times[one] for one in own)
            if x is not None:
                look = {"color": ORANGE, "zorder": 3, "s": 46} if mask == best else {"color": BLUE, "s": 18}
                axes.scatter(x, 100 * scores.value[mask], **look)
                if mask == best:
                    place = {"xytext": (6, -12), "textcoords": "offset points", "color": ORANGE}
                    axes.annotate(scores.name(mask), (x, 100 * scores.value[mask]), **place)
        axes.set_xlabel(title)
    panels[0].set_ylabel("overall score")
    return figure
