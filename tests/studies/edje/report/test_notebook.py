"""EDJE's whole notebook over a full tree and over an almost empty one."""

import re
import shutil

from compactvl.reporting.render import render


def rendered(root, style):
    html = root / "results" / "reports" / "edje.html"
    render(style.parent / "edje.py", root / "logs" / "edje.ipynb", html, {"study": "edje", "style": str(style)})
    return html.read_text(encoding="utf-8")


def named(style, call):
    """Names of the figures or tables of the notebook."""
    return set(re.findall(rf'report\.{call}\(\s*"(\w+)"', (style.parent / "edje.py").read_text(encoding="utf-8")))


def test_a_full_report_has_every_figure_and_table(tree, style, monkeypatch):
    monkeypatch.chdir(tree)
    page = rendered(tree, style)
    assert "Not run in this size" not in page
    assert "Traceback" not in page
    folder = tree / "results" / "figures" / "edje"
    for suffix in ("png", "pdf", "svg"):
        assert {path.stem for path in folder.glob(f"*.{suffix}")} == named(style, "figure")
    for suffix in ("csv", "tex"):
        assert {path.stem for path in folder.glob(f"*.{suffix}")} == named(style, "table")


def test_a_tree_with_two_variants_renders(tree, style, tmp_path, collect_all, monkeypatch):
    for variant in ("retriever", "random_scores"):
        source = tree / "results" / "edje" / variant / "seed0"
        target = tmp_path / "results" / "edje" / variant / "seed0"
        target.mkdir(parents=True)
        for suffix in ("json", "parquet"):
            shutil.copy(source / f"scenes.{suffix}", target)
    collect_all(tmp_path / "results", "edje")
    monkeypatch.chdir(tmp_path)
    page = rendered(tmp_path, style)
    assert page.count("Not run in this size") >= len(named(style, "figure"))
    assert "Traceback" not in page
    assert "cannot be tested here" in page
