"""Figures of DiDE's report."""

from collections.abc import Sequence
from textwrap import fill

from matplotlib.figure import Figure

from compactvl.data.canonical import CanonicalSet
from compactvl.reporting.answers import LATENCY
from compactvl.reporting.pictures import lit, picture
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import GREY, PALETTE, WIDTH, grid, legend_below, log_ticks, percent_axis
from compactvl.studies.dide.report.results import DideResults

WRAP = 24
"""Characters a line of a small panel's title."""


def accuracy_latency(
    study: DideResults, task: str, *, teacher: str, students: Sequence[str], timed: str, size: str = "own"
) -> Figure | NotRun:
    """Draw a task's score against milliseconds a question: the teacher, and students with the image cached.

    A line leads from a student to where the same model is when the image is computed for one question alone.

    Args:
        timed: the student that was timed; all have its sizes.
    """
    names = study.metrics.loc[(study.metrics["benchmark"] == LATENCY) & (study.metrics["variant"] == timed), "metric"]
    batches = sorted(
        {int(name.split("/")[2].removeprefix("batch")) for name in names if name.startswith(f"ms/{size}/")}
    )
    students = study.measured(task, students)
    if not batches or not students or not study.measured(task, [teacher]):
        return NotRun("accuracy or latency was not measured")
    batch, metric = batches[-1], study.score(task)
    name = f"ms/{size}/batch{batch}"
    fusion, cached = study.estimate(teacher, LATENCY, name), study.estimate(timed, LATENCY, name)
    alone = study.estimate(timed, LATENCY, f"{name}/questions1")
    if fusion is None or cached is None:
        return NotRun("one of the two encoders was not timed")
    figure, (axes,) = grid(1, 1, 3.4, foot=0.5)
    for variant, ms, colour in (
        (teacher, fusion, GREY),
        *((s, cached, c) for s, c in zip(students, PALETTE * 3, strict=False)),
    ):
        found = study.estimate(variant, task, metric)
        error = [[100 * (found.value - found.low)], [100 * (found.high - found.value)]]
        axes.errorbar(ms.value, 100 * found.value, yerr=error, fmt="o", color=colour, label=study.label(variant))
        if variant != teacher and alone is not None:
            axes.plot([ms.value, alone.value], [100 * found.value] * 2, ":", color=colour, linewidth=1)
    log_ticks(axes, [one.value for one in (fusion, cached, alone) if one is not None], "{:.2g}".format)
    axes.set_xlabel(f"milliseconds a question, {batch} at once (dotted: with the image, for one question)")
    percent_axis(axes, f"{study.metric_label(metric)} (%)")
    legend_below(figure, ncols=2)
    return figure


def attention_maps(
    study: DideResults,
    variants: Sequence[str],
    *,
    items: CanonicalSet | None,
    images: CanonicalSet | None,
    rows: int = 5,
) -> Figure | NotRun:
    """Draw, for a few test items, where each variant's question looks in the image: its words' mean over the last layer.

    Args:
        items, images: the task's data set and the one with its images; ``None`` where they are not on disk.
    """
    arrays = {variant: maps for variant in variants if (maps := study.analysis(variant))}
    if not arrays or items is None or images is None:
        return NotRun("the variants' maps or the images are not on disk")
    table = items.items.set_index("item_id")
    shown = [str(one) for one in next(iter(arrays.values()))["item_ids"]][:rows]
    columns, title = 1 + len(arrays), {"fontsize": 7.5, "fontweight": "normal", "loc": "left"}
    figure, axes = grid(columns * len(shown), columns, WIDTH / columns * 0.8, foot=0.2)
    for panel in axes:
        panel.axis("off")
    for row, item in enumerate(shown):
        image = picture(images, table.loc[item, "image_id"])
        axes[row * columns].imshow(image)
        axes[row * columns].set_title(fill(table.loc[item, "question"], WRAP), **title)
        for panel, (variant, maps) in zip(axes[row * columns + 1 : (row + 1) * columns], arrays.items(), strict=True):
            words = maps["pieces"][row] != ""
            weights = maps["maps"][row][words][:, 1:].mean(0)
            side = round(len(weights) ** 0.5)
            panel.imshow(lit(image, weights.reshape(side, side)))
            if row == 0:
                panel.set_title(fill(study.label(variant), WRAP), **title)
    return figure
