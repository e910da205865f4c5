"""Training curves, and validation R@1 against the pairs seen."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from compactvl.reporting.labels import label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import PALETTE, WIDTH, percent_axis

SMOOTHED_OVER = 0.02
"""Share of the run the curves are averaged over."""

PANELS = {
    "loss": "Training loss",
    "accuracy": "Training accuracy",
    "val_r1_t2i": "Validation, text → image",
    "val_r1_i2t": "Validation, image → text",
}


def training_curves(study: StudyResults, *, variants: list[str]) -> Figure | NotRun:
    """Draw loss, accuracy and (where logged) validation R@1 of both directions against training pairs seen.

    Args:
        variants: those without a log are left out; one line a variant and seed.
    """
    logs = {variant: tables for variant in variants if (tables := study.log(variant))}
    if not logs:
        return NotRun("no training log was found")
    columns = set().union(*(table.columns for tables in logs.values() for table in tables.values()))
    panels = {name: title for name, title in PANELS.items() if name in columns}
    if not panels or "seen" not in columns:
        return NotRun("the training logs hold neither loss nor accuracy against pairs")
    rows = (len(panels) + 1) // 2
    figure, axes_grid = plt.subplots(rows, 2, figsize=(WIDTH, 2.5 * rows + 0.4), squeeze=False)
    for axes in axes_grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (column, title) in zip(axes_grid.flat, panels.items(), strict=False):
        for (variant, tables), colour in zip(logs.items(), PALETTE, strict=False):
            for number, table in enumerate(tables.values()):
                _line(axes, table, column, colour, label(variant) if number == 0 else None)
        axes.set_title(title)
        axes.set_xlabel("training pairs seen")
        axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
        if column != "loss":
            percent_axis(axes, "accuracy (%)" if column == "accuracy" else "R@1 (%)")
        else:
            axes.set_ylabel("loss")
    entries = {n: h for axes in axes_grid.flat for h, n in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=3)
    return figure


def _line(axes: Axes, table: pd.DataFrame, column: str, colour: str, name: str | None) -> None:
    if column not in table or "seen" not in table:
        return
    part = table[["seen", column]].apply(pd.to_numeric, errors="coerce").dropna()
    if part.empty:
        return
    values = part[column] * (1 if column == "loss" else 100)
    if column.startswith("val_"):
        axes.plot(part["seen"], values, "o-", color=colour, label=name, markersize=4)
    else:
        window = max(1, round(SMOOTHED_OVER * len(values)))
        axes.plot(part["seen"], values.rolling(window, min_periods=1).mean(), color=colour, label=name, linewidth=1.4)


def _thousands(value: float, _: int) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
