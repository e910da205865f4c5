"""``results/reports/index.html``: the benchmark's front page, made of what the studies' reports wrote."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment

from compactvl.evaluation.results import TABLE, read_metrics
from compactvl.files import atomic_path
from compactvl.records.record import MANIFEST, Made, provenance_path, read_record, write
from compactvl.reporting.claims import FAILS, HOLDS, LEFT, OPEN, verdicts_table
from compactvl.reporting.front_page import PAGE, SCRIPT, STYLE
from compactvl.reporting.overview import COSTS, OFTEN, OVERVIEW, TASKS
from compactvl.reporting.tables import table_html

LOOKS = {HOLDS: "holds", FAILS: "fails", OPEN: "open", LEFT: "left"}


def write_index(results: str | Path, out: str | Path, made: Made) -> Path:
    """Write ``out`` from what is on disk, and its record; return its path.

    Links are relative, so the results folder can be moved or served as it is.

    Args:
        results: folder of the table of metrics and the figures.
        made: its inputs name the reports (the HTML files).

    Raises:
        UserError: there is no table of metrics yet, or it was edited or damaged.
    """
    results, page = Path(results), Path(out)
    columns = ("variant", "seed", "benchmark")
    counts = (
        read_metrics(results)
        .groupby("study")
        .agg(**{f"{c}s": (c, "nunique") for c in columns}, metrics=("metric", "size"))
    )
    tools = read_record(provenance_path(results / MANIFEST))
    reports = [Path(path) for path in made.inputs if path.endswith(".html")]
    names = [path.stem for path in reports]
    models, claims = read_models(results, names), read_tables(results, names, "claims")
    text = Environment(autoescape=True).from_string(PAGE).render(
        style=STYLE,
        script=SCRIPT,
        reports=reports,
        models=models,
        apart=[name for name in names if name not in {model["study"] for model in models}],
        tasks={key: task.title for key, task in TASKS.items()},
        costs=COSTS,
        often=OFTEN,
        claims=claims.assign(look=claims["verdict"].map(LOOKS)).to_dict("records") if len(claims) else [],
        verdicts=table_html(_verdicts(claims)) if len(claims) else "",
        kinds=list(LOOKS),
        judged=list(dict.fromkeys(claims["study"])) if len(claims) else [],
        metrics=results / TABLE,
        counts=table_html(counts.reset_index()),
        folders=sorted(path for path in (results / "figures").glob("*/")),
        python=tools["python"],
        versions=", ".join(f"{name} {version}" for name, version in sorted(tools["packages"].items())),
        link=lambda path: os.path.relpath(path, page.parent),
        title=lambda path: path.stem.replace("_", " "),
    )  # fmt: skip
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    write(page.with_suffix(".json"), made, [page])
    return page


def read_tables(results: Path, studies: Sequence[str], name: str) -> pd.DataFrame:
    """Return a table that studies' reports wrote, of all that have it, with a column ``study``."""
    found = []
    for study in studies:
        path = results / "figures" / study / f"{name}.csv"
        if path.is_file():
            found.append(pd.read_csv(path, keep_default_na=False, na_values=[""]).assign(study=study))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def read_models(results: Path, studies: Sequence[str]) -> list[dict[str, Any]]:
    """Return the main models that have a score on a shared task, each with its report and the command that makes it."""
    table = read_tables(results, studies, OVERVIEW)
    if table.empty:
        return []
    table = table.dropna(subset=list(TASKS), how="all").astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    return [
        row
        | {
            "report": f"{row['study']}.html",
            "command": f"snakemake --cores all runs/{row['study']}/{row['variant']}/seed0/manifest.json",
        }
        for row in rows
    ]


def _verdicts(claims: pd.DataFrame) -> pd.DataFrame:
    """Count verdicts by study and whose claims they are."""
    parts = [verdicts_table(own).assign(study=study) for study, own in claims.groupby("study", sort=False)]
    table = pd.concat(parts, ignore_index=True)
    return table[["study", *(column for column in table if column != "study")]]
