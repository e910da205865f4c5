"""The front page: every main model, the frontier, all claims; sorted and filtered in a browser without a server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from compactvl.records.record import Made, hashes
from compactvl.reporting.claims import FAILS, HOLDS, OPEN
from compactvl.reporting.index import read_models, write_index
from compactvl.reporting.output import save_table
from compactvl.reporting.overview import COSTS, TASKS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def row(study: str, model: str, qa: float | None, parameters: float, ms: float | None) -> dict:
    found = {"study": study, "model": model, "variant": model.lower().replace(" ", "_")}
    for name in TASKS:
        value = qa if name == "scene_qa" else None
        found |= {name: value, f"{name}_low": value and value - 2, f"{name}_high": value and value + 2}
    return found | {"parameters": parameters, "online": parameters, "storage": None, "ms": ms}


MODELS = {
    "toy": [row("toy", "Small", 40.0, 2.0, 1.0), row("toy", "Large", 70.0, 30.0, 9.0), row("toy", "Unasked", None, 1.0, 1.0)],
    "other": [row("other", "Worse & dearer", 35.0, 5.0, 2.0), row("other", "Middle", 55.0, 9.0, None)],
}  # fmt: skip
CLAIMS = {
    "toy": [("It is small.", "paper", HOLDS, "+3 points"), ("It is <fast>.", "paper", FAILS, "−1 point")],
    "other": [("It sees.", "control", OPEN, "not run")],
}


@pytest.fixture
def page(toy, collect_all, monkeypatch) -> Path:
    """The page of two studies."""
    monkeypatch.chdir(toy.results.parent)
    collect_all(Path("results"))
    reports = []
    for study in MODELS:
        save_table(pd.DataFrame(MODELS[study]), f"results/figures/{study}", "overview")
        save_table(
            pd.DataFrame(CLAIMS[study], columns=["claim", "of", "verdict", "evidence"]),
            f"results/figures/{study}",
            "claims",
        )
        reports.append(Path(f"results/reports/{study}.html"))
        reports[-1].parent.mkdir(exist_ok=True)
        reports[-1].write_text("x", encoding="utf-8")
    return write_index("results", "results/reports/index.html", Made("index", "", inputs=hashes(reports)))


def test_the_page_says_all_without_a_script(page):
    text = page.read_text(encoding="utf-8")
    for expected in ("Small", "Worse &amp; dearer", "It is &lt;fast&gt;.", "40.0 [38.0, 42.0]", 'href="toy.html"',
                     "snakemake --cores all runs/other/middle/seed0/manifest.json"):  # fmt: skip
        assert expected in text
    assert "Unasked" not in text, "a model without a shared task is in its report"
    models = json.loads(re.search(r'id="models">(.*?)</script>', text, re.DOTALL)[1])
    assert [model["model"] for model in models] == ["Small", "Large", "Worse & dearer", "Middle"]
    assert models[3]["ms"] is None
    assert models[0]["storage"] is None
    assert text.count("<td>paper</td>") == 3, "two claims, and one row of counts"


def test_studies_without_an_overview_are_named(page):
    assert read_models(Path("results"), ["nothing"]) == []
    save = Path("results/figures/other/overview.csv")
    save.unlink()
    reports = [Path(f"results/reports/{study}.html") for study in ("other", "toy")]
    text = write_index("results", page, Made("index", "", inputs=hashes(reports))).read_text(encoding="utf-8")
    assert "only in its report: other." in text


def dom(page: Path, script: str = "") -> str:
    """What the page has become in a browser, after a script of the test's."""
    copy = page.with_name("tried.html")
    copy.write_text(
        page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8"
    )
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}", "--dump-dom", copy.absolute().as_uri()],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "<svg" in done.stdout, done.stderr[-2000:]
    return done.stdout


def order(found: str) -> list[str]:
    body = re.search(r'id="table">.*?<tbody>(.*?)</tbody>', found, re.DOTALL)[1]
    return [
        re.search(r"<a [^>]*>([^<]*)", one)[1] for one in body.split("<tr")[1:] if "hidden" not in one.split(">", 1)[0]
    ]


@browser
def test_the_figure_shows_each_model_and_marks_the_frontier(page):
    found = dom(page)
    plot = re.search(r'<svg id="plot".*?</svg>', found, re.DOTALL)[0]
    points = re.findall(r'<a href="(\w+)\.html"><title>([^:]*):.*?<circle[^>]*fill="([^"]*)"', plot, re.DOTALL)
    assert {name.split(" (")[0]: fill != "#fff" for _, name, fill in points} == {
        "Small": True, "Large": True, "Worse &amp; dearer": False, "Middle": True,
    }  # fmt: skip
    assert "4 of 4 models have both" in found
    found = dom(
        page,
        'document.getElementById("cost").value = "ms"; document.getElementById("cost").dispatchEvent(new Event("change"));',
    )
    assert "3 of 4 models have both" in found
    assert "Middle (other)" not in re.search(r'<svg id="plot".*?</svg>', found, re.DOTALL)[0]


@browser
def test_tables_are_sorted_and_filtered(page):
    assert order(dom(page)) == ["Small", "Large", "Worse &amp; dearer", "Middle"]
    column = 2 + list(TASKS).index("scene_qa")
    click = f'const b = document.querySelectorAll("#table th button")[{column}]; b.click();'
    assert order(dom(page, click)) == ["Worse &amp; dearer", "Small", "Middle", "Large"]
    assert order(dom(page, click + "b.click();")) == ["Large", "Middle", "Small", "Worse &amp; dearer"]
    ms = f'document.querySelectorAll("#table th button")[{2 + len(TASKS) + list(COSTS).index("ms")}].click();'
    assert order(dom(page, ms))[-1] == "Middle", "what was not measured comes last"
    typed = 'const f = document.getElementById("filter"); f.value = "other"; f.dispatchEvent(new Event("input"));'
    assert order(dom(page, typed)) == ["Worse &amp; dearer", "Middle"]
    chosen = f'const v = document.getElementById("verdict"); v.value = "{FAILS}"; v.dispatchEvent(new Event("change"));'
    rows = re.search(r'id="list">.*?<tbody>(.*?)</tbody>', dom(page, chosen), re.DOTALL)[1].split("<tr")[1:]
    assert ["hidden" in one.split(">", 1)[0] for one in rows] == [True, False, True]
