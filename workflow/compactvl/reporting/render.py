"""From a notebook's source (jupytext percent) to an executed notebook and its HTML."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import compactvl
from compactvl.errors import UserError
from compactvl.files import atomic_path
from compactvl.records.record import Made, write

KERNEL, LANGUAGE = "python3", "python"
START_TIMEOUT = 300
JUPYTER = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
TAIL_LINES = 12
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
    report, executed, html = Path(report), Path(executed), Path(html)
    if not report.is_file():
        raise UserError(f"{report} is missing: give the path of a report in reports/")
    executed.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        notebook, values = Path(scratch) / f"{report.stem}.ipynb", Path(scratch) / "parameters.yaml"
        _run(["jupytext", "--to", "ipynb", "--output", notebook, report], f"{report} is not a notebook", scratch)
        values.write_text(yaml.safe_dump(dict(parameters), allow_unicode=True), encoding="utf-8")
        _run(
            [
                *(
                    "papermill",
                    notebook,
                    executed,
                    "--kernel",
                    KERNEL,
                    "--language",
                    LANGUAGE,
                    "--start-timeout",
                    START_TIMEOUT,
                ),
                *("--parameters_file", values, "--cwd", Path.cwd(), "--no-progress-bar", "--log-level", "WARNING"),
            ],
            f"a cell of {report} failed; the traceback is in {executed}",
            scratch,
        )
        with atomic_path(html) as temporary:
            _run(
                [
                    *("nbconvert", "--to", "html", "--no-input", "--embed-images", "--log-level", "WARN"),
                    *("--output-dir", temporary.parent, "--output", temporary.name, executed),
                ],
                f"{executed} could not be turned into HTML",
                scratch,
            )


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


def _run(arguments: list[Any], problem: str, scratch: str) -> None:
    """Run ``python -m ARGUMENTS`` with this package importable; on failure raise with the end of its output.

    Jupyter and IPython have their folders in ``scratch``: a home need not be writable, and what a user has set there
    (kernels, start-up files) is no part of a report.
    """
    environment = os.environ | dict.fromkeys(JUPYTER, scratch)
    package = str(Path(compactvl.__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, environment.get("PYTHONPATH")]))
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-TAIL_LINES:])
        raise UserError(f"{problem}\n{tail}")
