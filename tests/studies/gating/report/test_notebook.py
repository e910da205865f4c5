"""The gating notebook over a full study and over an almost empty one."""

import re
import shutil
from pathlib import Path

from compactvl.reporting.render import render

REPORT = Path(__file__).parents[4] / "reports" / "gating.py"


def rendered(root: Path, style: Path) -> str:
    html = root / "results" / "reports" / "gating.html"
    render(REPORT, root / "logs" / "gating.ipynb", html, {"study": "gating", "style": str(style)})
    return html.read_text(encoding="utf-8")


def named(call: str) -> set[str]:
    """Names of the figures or tables of the notebook."""
    return set(re.findall(rf'report\.{call}\(\s*"(\w+)"', REPORT.read_text(encoding="utf-8")))


def test_a_full_report_has_every_figure_and_table(gating_tree, style, monkeypatch):
    monkeypatch.chdir(gating_tree)
    page = rendered(gating_tree, style)
    assert "Traceback" not in page
    assert page.count("Not run in this size") == 1, "the concreteness scatter"
    folder = gating_tree / "results" / "figures" / "gating"
    for suffix in ("png", "pdf", "svg"):
        assert {path.stem for path in folder.glob(f"*.{suffix}")} == named("figure") - {"concreteness"}
    for suffix in ("csv", "tex"):
        assert {path.stem for path in folder.glob(f"*.{suffix}")} == named("table")


def test_a_report_of_one_variant_renders(gating_tree, style, tmp_path, made, write_variant, collect_all, monkeypatch):
    few = {name: made.tasks[name] for name in ("pairs", "caption_perplexity")}
    write_variant(tmp_path, "text_trunk", 1.0, tasks=few)
    shutil.copytree(gating_tree / "results" / "gating" / "random", tmp_path / "results" / "gating" / "random")
    collect_all(tmp_path / "results", "gating")
    monkeypatch.chdir(tmp_path)
    page = rendered(tmp_path, style)
    assert "Traceback" not in page
    assert page.count("Not run in this size") >= len(named("figure"))
