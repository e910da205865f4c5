"""What each design choice changes: the paired difference from the base variant, benchmark by benchmark."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from compactvl.evaluation.statistics import Interval
from compactvl.reporting.paired import difference
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import BLUE, GREEN, GREY, ORANGE, interval_rows
from compactvl.studies.gating.report.claims import BENCHMARKS
from compactvl.studies.gating.report.results import LANGUAGE, GatingResults, language


def differences(study: GatingResults, *, variants: Sequence[str], main: str) -> Figure | NotRun:
    """Draw variant minus ``main`` in points, paired by item, with 95% intervals; one panel a benchmark.

    Green is clearly better, orange clearly worse, blue neither.

    Args:
        variants: rows, top to bottom; those not scored are left out.
    """
    run = [variant for variant in study.measured(LANGUAGE, variants) if variant != main]
    tasks = [t for t in BENCHMARKS if study.scored([main], t) and study.scored(run, t)]
    if not tasks:
        return NotRun(f"no other variant can be compared with {study.label(main)}")
    panels = {
        study.metric_label(task): [difference(study, (language(v, task), language(main, task))) for v in run]
        for task in tasks
    }
    figure, axes = interval_rows([study.label(v) for v in run], panels, _colour, height=0.25, numbers=False)
    for panel in axes:
        panel.axvline(0, color=GREY, linewidth=1)
    figure.supxlabel(f"points more or less than {study.short(main).lower()}", fontsize=9.5)
    return figure


def _colour(_: int, interval: Interval) -> str:
    _, low, high = interval
    return GREEN if low > 0 else ORANGE if high < 0 else BLUE
