"""From a notebook's source (jupytext percent) to an executed notebook and its HTML."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupytext
import papermill
from nbconvert import HTMLExporter

from compactvl.errors import UserError
from compactvl.files import atomic_path
from compactvl.records.record import Made, write

START_TIMEOUT = 300
JUPYTER = ("JUPYTER_PATH", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
"""Folders of Jupyter and IPython. A home need not be writable, and what a user has set there (another kernel of the same
name, say) is no part of a report."""
CLOCK_STEP = 0.1
"""Seconds a file's time may be behind the clock."""


def render(report: str | Path, executed: str | Path, html: str | Path, parameters: Mapping[str, Any]) -> None:
    """Run a report and write its HTML, pictures embedded.

    The executed notebook is written cell by cell, so a failure leaves it behind with the traceback in it; the HTML is
    written only on success. The notebook runs in the current folder.

    Args:
        report: ``reports/<name>.py`` in jupytext's percent format, with a cell tagged ``parameters``.
        executed: where the executed notebook goes (the rule's ``log:``). html: where the HTML goes.
        parameters: values for the parameters cell.

    Raises:
        UserError: the report is missing, or a cell failed; the message names the executed notebook.
    """
    report, executed = Path(report), Path(executed)
    if not report.is_file():
        raise UserError(f"{report} is missing: give the path of a report in reports/")
    executed.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= dict.fromkeys(JUPYTER, scratch)
        notebook = Path(scratch) / f"{report.stem}.ipynb"
        jupytext.write(jupytext.read(report), notebook)
        options = {
            "kernel_name": "python3",
            "language": "python",
            "start_timeout": START_TIMEOUT,
            "progress_bar": False,
        }
        try:
            papermill.execute_notebook(notebook, executed, dict(parameters), cwd=Path.cwd(), **options)
        except papermill.PapermillExecutionError as error:
            raise UserError(
                f"a cell of {report} failed; the traceback is in {executed}\n{error.ename}: {error.evalue}"
            ) from None
    plain = {"exclude_input": True, "exclude_input_prompt": True, "exclude_output_prompt": True}
    page, _ = HTMLExporter(embed_images=True, **plain).from_filename(str(executed))
    with atomic_path(html) as temporary:
        temporary.write_text(page, encoding="utf-8")


def record_report(html: Path, study: str, made: Made, begun: float) -> Path:
    """Write ``<html's name>.json``: the HTML, and every figure and table its notebook wrote, with what it read.

    Args:
        html: the page; figures and tables are in ``figures/<study>`` beside its folder.
        study: the study's name. made: what they were made from.
        begun: ``time.time()`` at the start: an older figure is not of this notebook.

    Returns:
        The record's path.
    """
    figures = (html.parent.parent / "figures" / study).glob("*.*")
    written = [path for path in figures if path.stat().st_mtime >= begun - CLOCK_STEP]
    return write(html.with_suffix(".json"), made, [html, *written], study=study)
