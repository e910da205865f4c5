"""Tables as data frames of finished text: cells, HTML and LaTeX, and those every report has."""

from collections.abc import Sequence

import pandas as pd

from compactvl.reporting.study import Estimate, NotRun, StudyResults, flat

MISSING = "–"
STYLE = (
    "<style>table.compactvl{border-collapse:collapse;margin:.6em 0;font-size:.92em}"
    "table.compactvl th{border-bottom:1px solid #444;border-top:2px solid #444}"
    "table.compactvl td,table.compactvl th{padding:.25em .7em;vertical-align:top;text-align:left!important}"
    "table.compactvl tr:last-child td{border-bottom:2px solid #444}"
    "table.compactvl tbody tr:nth-child(even){background:#f6f6f6}</style>"
)


def per_cent(estimate: Estimate | None, interval: bool = True, *, scale: float = 100.0) -> str:
    """Return ``81.3 [77.9, 84.6]``, with ``± sd`` over seeds where there are several."""
    if estimate is None:
        return MISSING
    value, low, high = (f"{scale * number:,.1f}" for number in estimate[:3])
    spread = "" if estimate.sd is None else f" ± {scale * estimate.sd:,.1f}"
    return f"{value}{spread} [{low}, {high}]" if interval else f"{value}{spread}"


def parameter_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return parameters by part (rows) and variant (columns)."""
    table = study.parameters[study.parameters["variant"].isin(variants)]
    if table.empty:
        return NotRun("parameters.csv was not written")
    order = [variant for variant in variants if variant in set(table["variant"])]
    wide = table.pivot_table(index="part", columns="variant", values="parameters", aggfunc="sum", sort=False)[order]
    text = wide.map(lambda value: MISSING if pd.isna(value) else f"{int(value):,}")
    return text.rename(columns=study.label).rename_axis(columns=None).reset_index()


def runs_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return how each variant was trained: its label and name, the runs it starts from, steps, samples seen."""
    rows = []
    for variant in variants:
        settings, made = study.settings(variant), study.manifest(variant)
        if settings is None:
            continue
        start = {key: value for key, value in flat(settings).items() if key.split(".")[0] == "start" and value}
        names = [f"{value} ({key.partition('.')[2]})" if "." in key else value for key, value in start.items()]
        row = {"model": study.label(variant), "variant": variant, "starts from": ", ".join(names) or MISSING}
        rows.append(row | {"steps": f"{made.get('steps', 0):,}", "samples seen": f"{made.get('seen', 0):,}"})
    return pd.DataFrame(rows) if rows else NotRun("none of these variants was trained")


def settings_table(study: StudyResults, a: str, b: str) -> pd.DataFrame | NotRun:
    """Return the settings in which two runs differ: the name, the value in ``a`` and in ``b``."""
    left, right = study.settings(a), study.settings(b)
    if left is None or right is None:
        return NotRun(f"{a if left is None else b} was not trained")
    ours, theirs = flat(left), flat(right)
    names = [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]
    rows = [{"setting": n, study.label(a): _shown(ours.get(n)), study.label(b): _shown(theirs.get(n))} for n in names]
    return pd.DataFrame(rows) if rows else NotRun(f"{a} and {b} have the same settings")


def _shown(value: object) -> str:
    return MISSING if value is None else str(value)


def table_html(table: pd.DataFrame) -> str:
    """Return a table as HTML in the report's style; cells are escaped, and a dash where there is nothing, ``None`` too."""
    return STYLE + table.fillna(float("nan")).to_html(
        index=False, border=0, classes="compactvl", escape=True, na_rep=MISSING
    )


def table_latex(table: pd.DataFrame) -> str:
    """Return a table as LaTeX for the ``booktabs`` package; cells and headers are escaped."""
    return table.fillna(float("nan")).to_latex(index=False, escape=True, na_rep=MISSING)
