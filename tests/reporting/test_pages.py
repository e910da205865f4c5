"""Notebooks become pages, what they read is in their digest, and the index links everything."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from compactvl.dag.digest import covered
from compactvl.dag.stages import code_digest, report_modules
from compactvl.errors import UserError
from compactvl.records.record import Made, hashes, read_record
from compactvl.reporting.index import write_index
from compactvl.reporting.output import save_figure, save_table
from compactvl.reporting.render import render

REPOSITORY = Path(__file__).parents[2]


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


@pytest.mark.parametrize(("study", "other"), [("edje", "gating"), ("gating", "edje")])
def test_a_report_depends_on_its_studys_report_code(study, other, tmp_path):
    """Every module of the study's report, of what reports share, and nothing of another study."""
    notebook = REPOSITORY / "reports" / f"{study}.py"
    modules, _ = covered([notebook.absolute()])
    folder = REPOSITORY / "workflow" / "compactvl" / "studies" / study / "report"
    own = {f"compactvl.studies.{study}.report." + ".".join(path.relative_to(folder).with_suffix("").parts)
           for path in folder.rglob("*.py") if path.name != "__init__.py"}  # fmt: skip
    assert own <= set(modules)
    assert "compactvl.reporting.paired" in modules
    assert not [name for name in modules if f"studies.{other}" in name]
    assert not [name for name in modules if name.startswith(("compactvl.training", "compactvl.cli"))]
    moved = tmp_path / notebook.name
    moved.write_text(notebook.read_text(encoding="utf-8").replace("figures.", "figures_", 1), encoding="utf-8")
    assert code_digest(report_modules(moved)) != code_digest(report_modules(notebook))


def test_the_index_links_what_is_there(toy, collect_all, monkeypatch):
    monkeypatch.chdir(toy.results.parent)
    collect_all(Path("results"))
    save_table(pd.DataFrame({"a": [1]}), "results/figures/toy", "some_numbers")
    figure, _ = plt.subplots()
    save_figure(figure, "results/figures/toy", "a_picture")
    Path("results/reports").mkdir()
    report = Path("results/reports/toy & co.html")
    report.write_text("x", encoding="utf-8")
    page = write_index("results", "results/reports/index.html", Made("index", "", inputs=hashes([report])))
    text = page.read_text(encoding="utf-8")
    links = set(re.findall(r'(?:href|src)="([^"]+)"', text))
    names = ("a_picture.png", "a_picture.pdf", "a_picture.svg", "some_numbers.csv")
    assert links == {"toy &amp; co.html", "../metrics.csv", *(f"../figures/toy/{name}" for name in names)}
    assert all((page.parent / link.replace("&amp;", "&")).is_file() for link in links)
    assert "<td>toy</td>" in text
    assert f"pandas {pd.__version__}" in text
    assert "index.html" in read_record(page.with_suffix(".json"))["files"]
