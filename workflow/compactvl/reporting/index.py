"""``results/reports/index.html``: links to every report, the metrics, the figures and tables."""

import os
from pathlib import Path

from jinja2 import Environment

from compactvl.evaluation.results import TABLE, read_metrics
from compactvl.files import atomic_path
from compactvl.records.record import MANIFEST, Made, provenance_path, read_record, write
from compactvl.reporting.tables import table_html

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>compactvl: results</title>
<style>
body{font-family:system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;line-height:1.45;color:#222}
h2{margin-top:2.2rem} a{color:#0072B2} .figures{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;width:19rem} figure img{width:100%;border:1px solid #ddd;background:#fff} figcaption{font-size:.85em}
</style></head><body>
<h1>compactvl: results</h1>
<h2>Reports</h2>
<ul>{% for page in reports %}<li><a href="{{ link(page) }}">{{ page.stem }}</a></li>{% else %}<li>None yet.</li>{% endfor %}</ul>
<h2>Metrics</h2>
<p><a href="{{ link(metrics) }}">metrics.csv</a>: one row a study, variant, seed, benchmark and metric.</p>
{{ counts | safe }}
<h2>Figures and tables</h2>
{% for folder in folders %}<h3>{{ folder.name }}</h3>
<div class="figures">
{% for picture in folder.glob("*.png") | sort %}<figure><a href="{{ link(picture) }}"><img src="{{ link(picture) }}"
 alt="{{ title(picture) }}" loading="lazy"></a><figcaption>{{ title(picture) }}
{% for other in (picture.with_suffix(".pdf"), picture.with_suffix(".svg")) if other.is_file() -%}
<a href="{{ link(other) }}">{{ other.suffix[1:] }}</a>
{% endfor %}</figcaption></figure>
{% endfor %}</div>
<p>Tables: {% for table in folder.glob("*.csv") | sort %}<a href="{{ link(table) }}">{{ title(table) }}</a> {% endfor %}</p>
{% endfor %}<p><small>Python {{ python }}; {{ versions }}. What each file was made from and how long it took:
<code>compactvl explain FILE</code>.</small></p>
</body></html>
"""


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
    template = Environment(autoescape=True).from_string(PAGE)
    text = template.render(
        reports=[Path(path) for path in made.inputs if path.endswith(".html")],
        metrics=results / TABLE,
        counts=table_html(counts.reset_index()),
        folders=sorted(path for path in (results / "figures").glob("*/")),
        python=tools["python"],
        versions=", ".join(f"{name} {version}" for name, version in sorted(tools["packages"].items())),
        link=lambda path: os.path.relpath(path, page.parent),
        title=lambda path: path.stem.replace("_", " "),
    )
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    write(page.with_suffix(".json"), made, [page])
    return page
