"""Where the image is necessary, useful or irrelevant: the gate, and answers right with the image and with it taken away."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compactvl.evaluation.gates import CONDITIONS
from compactvl.reporting.gating.labels import label, short
from compactvl.reporting.gating.words import GATES, PROBE, gate_words, gated
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import BLUE, ORANGE, PALETTE, WIDTH, percent_axis

ANSWERS = (
    ("probe_accuracy", -0.06, ORANGE, "with its image"),
    ("probe_accuracy_no_image", 0.06, BLUE, "image taken away"),
)


def probe(study: StudyResults, *, variants: Sequence[str], main: str) -> Figure | NotRun:
    """Draw each variant's mean gate by condition, and ``main``'s answers right with its image and with it taken away; 95% intervals.

    Args:
        variants: left panel; those whose probe was not run are left out. main: right panel.
    """
    run = gated(study, variants, PROBE)
    words = gate_words(study, main, PROBE)
    if not run or words is None:
        return NotRun(f"the probe was not run for {label(main)}")
    conditions = [c for c in CONDITIONS if c in set(words["condition"])]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    for number, (variant, colour) in enumerate(zip(run, PALETTE, strict=False)):
        shift = (number - (len(run) - 1) / 2) * 0.09
        _points(left, study, variant, "probe_gate", conditions, shift, colour, label(variant))
    for measure, shift, colour, name in ANSWERS:
        _points(right, study, main, measure, conditions, shift, colour, name, scale=100)
    left.set_title("Gate (low: looks)")
    left.set_ylabel("gate of the last layer")
    right.set_title(f"Answers of the {short(main).lower()} model")
    percent_axis(right, "right (%)")
    right.set_ylim(0, 104)
    for axes in (left, right):
        axes.set_xticks(range(len(conditions)), conditions)
        axes.set_xlim(-0.45, len(conditions) - 0.55)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("the image is …")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=1)
    return figure


def _points(
    axes: Axes, study: StudyResults, variant: str, measure: str, conditions: list[str], shift: float, colour: str,
    name: str, *, scale: float = 1,
) -> None:  # fmt: skip
    found = {n: e for n, c in enumerate(conditions) if (e := study.estimate(variant, GATES, f"{measure}/{c}"))}
    if not found:
        return
    value, low, high = scale * np.array([(e.value, e.low, e.high) for e in found.values()]).T
    places = np.array(list(found)) + shift
    axes.errorbar(places, value, yerr=[value - low, high - value], fmt="o", color=colour, label=name, linewidth=1.5)
