"""``results/reports/index.html``: links to every report, the metrics and the figures, and what made them."""

import html
import os
from pathlib import Path

import pandas as pd

from compactvl.evaluation.results import read_metrics
from compactvl.files import atomic_path
from compactvl.records.record import PROVENANCE, Made, read_record, write
from compactvl.reporting.tables import table_html

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>compactvl: results</title>
<style>
body{{font-family:system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;line-height:1.45;color:#222}}
h2{{margin-top:2.2rem}} a{{color:#0072B2}} .figures{{display:flex;flex-wrap:wrap;gap:1rem}}
figure{{margin:0;width:19rem}} figure img{{width:100%;border:1px solid #ddd;background:#fff}}
figcaption{{font-size:.85em}}
</style></head><body>
<h1>compactvl: results</h1>
{body}
</body></html>
"""


def write_index(
    results: str | Path,
    out: str | Path,
    made: Made,
    *,
    sets: str | Path = "data/sets",
    tokens: str | Path = "cache/tokens",
    runs: str | Path = "runs",
) -> Path:
    """Write ``out`` from what is on disk, and its record; return its path.

    Links are relative, so the results folder can be moved or served as it is. Sections: reports (the HTML files that
    ``made`` names), metrics, figures with thumbnails, data, times of every stage, versions.
    """
    results, target = Path(results), Path(out)
    stages = _stages({"data set": (Path(sets), 1), "tokens": (Path(tokens), 2), "run": (Path(runs), 3)})
    parts = [
        _reports([Path(path) for path in made.inputs if path.endswith(".html")], target),
        _metrics(results, target),
        _figures(results, target),
        _data(Path(sets)),
        _times(stages),
        _versions(stages),
    ]
    with atomic_path(target) as temporary:
        temporary.write_text(PAGE.format(body="\n".join(parts)), encoding="utf-8")
    write(target.with_suffix(".json"), made, [target])
    return target


def _link(path: Path, page: Path, text: str) -> str:
    return f'<a href="{html.escape(os.path.relpath(path, page.parent))}">{html.escape(text)}</a>'


def _reports(found: list[Path], page: Path) -> str:
    items = "".join(f"<li>{_link(path, page, path.stem)}</li>" for path in found)
    return f"<h2>Reports</h2><ul>{items}</ul>" if found else "<h2>Reports</h2><p>None yet.</p>"


def _metrics(results: Path, page: Path) -> str:
    table = read_metrics(results)
    counts = table.groupby("study").agg(
        variants=("variant", "nunique"),
        seeds=("seed", "nunique"),
        benchmarks=("benchmark", "nunique"),
        metrics=("metric", "size"),
    )
    link = _link(results / "metrics.csv", page, "metrics.csv")
    about = f"<p>{link}: one row a study, variant, seed, benchmark and metric.</p>"
    return f"<h2>Metrics</h2>{about}{table_html(counts.reset_index())}"


def _figures(results: Path, page: Path) -> str:
    parts = ["<h2>Figures</h2>"]
    for folder in sorted(path for path in (results / "figures").glob("*") if path.is_dir()):
        figures = []
        for png in sorted(folder.glob("*.png")):
            source = html.escape(os.path.relpath(png, page.parent))
            name = html.escape(png.stem.replace("_", " "))
            others = " ".join(
                _link(p, page, p.suffix[1:]) for s in ("pdf", "svg") if (p := png.with_suffix(f".{s}")).is_file()
            )
            figures.append(
                f'<figure><a href="{source}"><img src="{source}" alt="{name}" loading="lazy"></a>'
                f"<figcaption>{name} {others}</figcaption></figure>"
            )
        tables = " · ".join(_link(path, page, path.stem.replace("_", " ")) for path in sorted(folder.glob("*.csv")))
        parts.append(
            f'<h3>{html.escape(folder.name)}</h3><div class="figures">{"".join(figures)}</div><p>Tables: {tables}</p>'
        )
    return "\n".join(parts)


def _data(sets: Path) -> str:
    rows = []
    for folder in sorted(path for path in sets.glob("*") if (path / "items.parquet").is_file()):
        items = pd.read_parquet(folder / "items.parquet", columns=["split"])
        row = {"set": folder.name, "items": len(items)}
        rows.append(row | {split: int(count) for split, count in items["split"].value_counts().sort_index().items()})
    table = pd.DataFrame(rows).astype(object).fillna("–")
    return f"<h2>Data</h2>{table_html(table)}" if rows else "<h2>Data</h2><p>No data set on disk.</p>"


def _stages(roots: dict[str, tuple[Path, int]]) -> list[dict]:
    """Every provenance file under the roots, with what it is about."""
    stages = []
    for kind, (root, depth) in roots.items():
        for path in sorted(root.glob("/".join(["*"] * depth) + f"/{PROVENANCE}")):
            stages.append({"kind": kind, "name": "/".join(path.parts[-1 - depth : -1]), **read_record(path)})
    return stages


def _times(stages: list[dict]) -> str:
    rows = [
        {"what": s["kind"], "name": s["name"], "seconds": _seconds(s.get("seconds")), "device": s.get("device") or "–",
         "threads": s.get("threads") or "–"}
        for s in stages
    ]  # fmt: skip
    return f"<h2>Times</h2>{table_html(pd.DataFrame(rows))}" if rows else ""


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _versions(stages: list[dict]) -> str:
    versions = {(name, version) for s in stages for name, version in (s.get("packages") or {}).items()}
    versions |= {("python", s["python"]) for s in stages if s.get("python")}
    table = pd.DataFrame(sorted(versions), columns=["package", "version"])
    return f"<h2>Versions</h2>{table_html(table)}" if len(table) else ""
