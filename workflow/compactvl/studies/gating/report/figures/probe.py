"""Where the image is necessary, useful or irrelevant: the gate, and answers right with the image and with it taken away."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from compactvl.evaluation.gates import CONDITIONS
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import BLUE, ORANGE, PALETTE, grid, interval_points, percent_axis
from compactvl.studies.gating.report.results import GatingResults
from compactvl.studies.gating.report.words import GATES, PROBE, gate_words, gated

ANSWERS = {"probe_accuracy": (ORANGE, "with its image"), "probe_accuracy_no_image": (BLUE, "image taken away")}


def probe(study: GatingResults, *, variants: Sequence[str], main: str) -> Figure | NotRun:
    """Draw each variant's mean gate by condition, and ``main``'s right answers with its image and without; 95% intervals.

    Args:
        variants: left panel; those whose probe was not run are left out. main: right panel.
    """
    run, words = gated(study, variants, PROBE), gate_words(study, main, PROBE)
    if not run or words is None:
        return NotRun(f"the probe was not run for {study.label(main)}")
    conditions = [condition for condition in CONDITIONS if condition in set(words["condition"])]
    figure, (left, right) = grid(2, 2, 3.4)
    gates = [(v, "probe_gate", colour, study.label(v)) for v, colour in zip(run, PALETTE, strict=False)]
    answers = [(main, measure, *look) for measure, look in ANSWERS.items()]
    for axes, series, scale in ((left, gates, 1), (right, answers, 100)):
        for number, (variant, measure, colour, name) in enumerate(series):
            found = [study.estimate(variant, GATES, f"{measure}/{condition}") for condition in conditions]
            places = np.arange(len(conditions)) + (number - (len(series) - 1) / 2) * 0.1
            interval_points(axes, places, found, scale=scale, color=colour, label=name, linewidth=1.5)
        axes.set_xticks(range(len(conditions)), conditions)
        axes.set_xlim(-0.45, len(conditions) - 0.55)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("the image is …")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=1)
    left.set_title("Gate (low: looks)")
    left.set_ylabel("gate of the last layer")
    right.set_title(f"Answers of the {study.short(main).lower()} model")
    percent_axis(right, "right (%)")
    right.set_ylim(0, 104)
    return figure
