"""The whole notebook over a full tree and over an almost empty one; the index; a failing notebook."""

import json
import shutil

import pytest

from compactvl.errors import UserError
from compactvl.evaluation.collect import collect, find_results
from compactvl.records.record import Made, hashes
from compactvl.reporting.index import write_index
from compactvl.reporting.render import render

FIGURES = (
    "attention", "controls", "gallery", "negatives", "objectives", "quantisation", "recall_vs_pool", "recall_vs_tokens",
    "swaps", "throughput", "training",
)  # fmt: skip
TABLES = (
    "claims",
    "cost",
    "departures",
    "names",
    "names_concepts",
    "parameters",
    "published_cost",
    "published_retrieval",
    "retrieval",
    "swaps",
    "throughput",
    "timing_environment",
)


def rendered(root, style):
    report = style.parent / "edje.py"
    executed, html = root / "logs" / "edje.ipynb", root / "results" / "reports" / "edje.html"
    render(report, executed, html, {"study": "edje", "style": str(style)})
    return html.read_text(encoding="utf-8")


def test_full_report_and_index(tree, style, monkeypatch):
    monkeypatch.chdir(tree)
    page = rendered(tree, style)
    assert "Not run in this size" not in page
    assert "Traceback" not in page
    assert "favours m = 12 learned queries" in page
    assert "cannot be seen here" in page
    assert "Not drawn, for want of a result" not in page
    assert page.count('<figure class="compactvl"') == len(FIGURES)
    folder = tree / "results" / "figures" / "edje"
    assert sorted(path.stem for path in folder.glob("*.png")) == sorted(FIGURES)
    assert sorted(path.stem for path in folder.glob("*.tex")) == sorted(TABLES)
    for name in FIGURES:
        assert all((folder / f"{name}.{suffix}").stat().st_size > 1000 for suffix in ("pdf", "svg", "png"))
    for words in ("holds here", "does not hold here", "cannot be tested here"):
        assert words in page
    made = Made("index", "", inputs=hashes(["results/metrics.csv", "results/reports/edje.html"]))
    index = write_index("results", "results/reports/index.html", made).read_text(encoding="utf-8")
    for link in ("edje.html", "../metrics.csv", "../figures/edje/gallery.png", "../figures/edje/gallery.pdf"):
        assert f'"{link}"' in index
        assert (tree / "results" / "reports" / link).resolve().is_file()
    assert "edje/edje/seed1" in index
    assert "dinov2_s/scenes" in index
    assert "numpy" in index


def test_a_tree_with_two_variants_renders(tree, style, tmp_path, monkeypatch):
    for variant in ("retriever", "random_scores"):
        source = tree / "results" / "edje" / variant / "seed0"
        target = tmp_path / "results" / "edje" / variant / "seed0"
        target.mkdir(parents=True)
        for suffix in ("json", "parquet"):
            shutil.copy(source / f"scenes.{suffix}", target)
    results = tmp_path / "results"
    collect(results, Made("collect", "", inputs=hashes(find_results(results, "edje"))), "edje")
    monkeypatch.chdir(tmp_path)
    page = rendered(tmp_path, style)
    assert page.count("Not run in this size") >= len(FIGURES)
    assert "Traceback" not in page
    assert "cannot be tested here" in page


def test_a_failing_cell_leaves_its_traceback(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "broken.py"
    report.write_text('# %% tags=["parameters"]\nx = 1\n\n# %%\nraise ValueError(f"seen {x}")\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"a cell of .*broken\.py failed; the traceback is in .*broken\.ipynb"):
        render(report, tmp_path / "broken.ipynb", tmp_path / "broken.html", {"x": 7})
    cells = json.loads((tmp_path / "broken.ipynb").read_text(encoding="utf-8"))["cells"]
    assert any("seen 7" in str(output) for cell in cells for output in cell.get("outputs", []))
    assert not (tmp_path / "broken.html").exists()
    with pytest.raises(UserError, match="give the path"):
        render(tmp_path / "none.py", tmp_path / "a.ipynb", tmp_path / "a.html", {})


def test_a_report_needs_no_home_and_takes_no_settings_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text(
        '# %% tags=["parameters"]\nx = 1\n\n# %%\nprint("saw", y if "y" in globals() else x)\n'
    )
    startup = tmp_path / "home" / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("y = 5\n")
    for home in ("home", "/proc/nowhere"):
        monkeypatch.setenv("HOME", str(tmp_path / home))
        render("a.py", "a.ipynb", "a.html", {"x": 7})
        assert "saw 7" in (tmp_path / "a.html").read_text()
