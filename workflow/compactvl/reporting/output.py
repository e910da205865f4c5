"""Where a notebook's figures and tables go: shown in place, and saved as files."""

import base64
import html
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from compactvl.files import atomic_path
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import use_style
from compactvl.reporting.tables import table_html, table_latex

FORMATS = ("pdf", "svg", "png")
INLINE_DPI = 125
WIDEST = 1000


def save_figure(figure: Figure, folder: str | Path, name: str) -> list[Path]:
    """Write ``<name>.pdf``, ``.svg`` and ``.png`` atomically, without dates, and return the paths."""
    paths = []
    for suffix in FORMATS:
        path = Path(folder) / f"{name}.{suffix}"
        metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[suffix]
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata)
        paths.append(path)
    return paths


def save_table(table: pd.DataFrame, folder: str | Path, name: str) -> list[Path]:
    """Write ``<name>.csv`` and ``<name>.tex`` (booktabs) atomically and return the paths."""
    texts = {"csv": table.to_csv(index=False, lineterminator="\n"), "tex": table_latex(table)}
    paths = []
    for suffix, text in texts.items():
        path = Path(folder) / f"{name}.{suffix}"
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


class Report:
    """Shows figures and tables in the notebook and saves them under ``folder``.

    Args:
        folder: ``results/figures/<study>``. style: matplotlib style sheet.
    """

    def __init__(self, folder: str | Path, style: str | Path) -> None:
        self.folder = Path(folder)
        use_style(style)

    def figure(self, name: str, figure: Figure | NotRun, caption: str = "") -> None:
        """Show a figure with its caption, or why there is none."""
        if isinstance(figure, NotRun):
            return self._absent(figure)
        paths = save_figure(figure, self.folder, name)
        png = next(path for path in paths if path.suffix == ".png")
        width = min(int(figure.get_size_inches()[0] * INLINE_DPI), WIDEST)
        picture = base64.b64encode(png.read_bytes()).decode()
        text, label = html.escape(caption), html.escape(caption or name)
        image = f'<img alt="{label}" width="{width}" style="max-width:100%" src="data:image/png;base64,{picture}">'
        note = f"<figcaption><em>{text}</em></figcaption>"
        display(HTML(f'<figure class="compactvl" style="margin:.5em 0">{image}{note}</figure>'))
        plt.close(figure)

    def table(self, name: str, table: pd.DataFrame | NotRun, caption: str = "") -> None:
        """Show a table with its caption, or why there is none."""
        if isinstance(table, NotRun):
            return self._absent(table)
        save_table(table, self.folder, name)
        display(HTML(table_html(table)))
        if caption:
            display(Markdown(f"*{caption}*"))

    @staticmethod
    def _absent(absent: NotRun) -> None:
        display(Markdown(f"> Not run in this size: {absent.reason}"))
