"""Training curves, and validation R@1 against the pairs seen."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from compactvl.reporting.study import NotRun
from compactvl.reporting.style import PALETTE, grid, legend_below, percent_axis
from compactvl.studies.edje.report.results import EdjeResults

SMOOTHED_OVER = 0.02
"""Share of the run the curves are averaged over."""
PANELS = {
    "loss": ("Training loss", "loss"),
    "accuracy": ("Training accuracy", "accuracy (%)"),
    "val_r1_t2i": ("Validation, text → image", "R@1 (%)"),
    "val_r1_i2t": ("Validation, image → text", "R@1 (%)"),
}
"""Column of the log → title and label."""


def training_curves(study: EdjeResults, *, variants: Sequence[str]) -> Figure | NotRun:
    """Draw loss, accuracy and (where logged) validation R@1 of both directions against training pairs seen.

    Args:
        variants: those without a log are left out; one line a variant and seed.
    """
    logs = {variant: list(tables.values()) for variant in variants if (tables := study.log(variant))}
    columns = {column for tables in logs.values() for table in tables for column in table}
    panels = [name for name in PANELS if name in columns]
    if not panels or "seen" not in columns:
        return NotRun("no training log holds loss or accuracy against pairs")
    figure, grid_of_axes = grid(len(panels), 2, 2.5, foot=0.4)
    for axes, column in zip(grid_of_axes, panels, strict=True):
        title, name = PANELS[column]
        for (variant, tables), colour in zip(logs.items(), PALETTE, strict=False):
            for number, table in enumerate(tables):
                x, y = _curve(table, column)
                look = {"marker": "o", "markersize": 4} if column.startswith("val_") else {"linewidth": 1.4}
                if len(x):
                    axes.plot(x, y, color=colour, label=None if number else study.label(variant), **look)
        axes.set_title(title)
        axes.set_xlabel("training pairs seen")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n / 1000:g}k" if n >= 1000 else f"{n:g}"))
        axes.set_ylabel(name)
        if column != "loss":
            percent_axis(axes, name)
    legend_below(figure)
    return figure


def _curve(table: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series]:
    """Pairs seen, and the values there: of training a running mean, shares in per cent."""
    part = table.reindex(columns=["seen", column]).apply(pd.to_numeric, errors="coerce").dropna()
    values = part[column] * (1 if column == "loss" else 100)
    if not column.startswith("val_"):
        values = values.rolling(max(1, round(SMOOTHED_OVER * len(values))), min_periods=1).mean()
    return part["seen"], values
