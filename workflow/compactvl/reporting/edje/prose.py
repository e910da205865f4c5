"""Sentences of EDJE's report that are made from the numbers."""

import numpy as np

from compactvl.reporting.edje.claims import shared_sizes
from compactvl.reporting.labels import KINDS, label
from compactvl.reporting.study import Estimate, StudyResults
from compactvl.reporting.tables import caption_ties

MEAN = "mean_r1"
ALMOST_ALL = 0.99


def ablation_scale(
    study: StudyResults, variants: list[str], *, trunk: str, first_stage: str, benchmark: str = "scenes"
) -> str:
    """Return a paragraph on how small a difference between the ablations can be seen; empty where none was run."""
    found = {v: e for v in variants if (e := study.estimate(v, benchmark, MEAN))}
    start, first = study.estimate(trunk, benchmark, MEAN), study.estimate(first_stage, benchmark, MEAN)
    if not found or start is None or first is None:
        return ""
    values = [100 * e.value for e in found.values()]
    width = float(np.mean([50 * (e.high - e.low) for e in found.values()]))
    above = [label(v) for v, e in found.items() if e.low > first.high]
    sentences = [
        f"These ablations branch from `{trunk}`{_seen(study, trunk)} and end{_seen(study, *found)}: a short run.",
        f"Mean R@1 is {100 * first.value:.1f} for the first stage, {100 * start.value:.1f} for `{trunk}` and from "
        f"{min(values):.1f} to {max(values):.1f} for the ablations;",
        f"clear of the first stage's interval: {'; '.join(above)}." if above else "none is clear of the first stage.",
        f"One such number is uncertain by about ±{width:.1f} points, so **a difference of a few points cannot be seen "
        f"here**, and an ablation that changes nothing visible may still matter in a long run.",
    ]
    return " ".join(sentences)


def _seen(study: StudyResults, *variants: str) -> str:
    pairs = sorted({n for variant in variants if (n := study.pairs(variant)) is not None})
    if not pairs:
        return ""
    return f" after {pairs[0]:,}{f' to {pairs[-1]:,}' if len(pairs) > 1 else ''} scored pairs"


def recipe_budget(study: StudyResults, ours: str, theirs: str) -> str:
    """Return a paragraph on what the paper's recipe run shares with ours and how many pairs each has seen."""
    seen = {variant: study.pairs(variant) for variant in (ours, theirs)}
    kept = shared_sizes(study, ours, theirs)
    if None in seen.values() or not kept:
        return ""
    steps = {variant: study.settings(variant)["optimiser"]["steps"] for variant in seen}
    budget = ", ".join(f"`{name}` has scored {pairs:,} pairs in {steps[name]:,} steps" for name, pairs in seen.items())
    return f"{budget}. `{theirs}` is the paper's recipe, not the paper's size: it keeps the demo's {kept}."


def swaps_findings(study: StudyResults, variants: list[str], *, benchmark: str = "swaps") -> str:
    """Return a list: for each variant, on which exchanges its group score is above chance, and how often it ties."""
    lines = []
    for variant in study.measured(benchmark, variants):
        ties = caption_ties(study, variant, benchmark)
        names = {
            KINDS.get(k, k) or "all": study.estimate(variant, benchmark, f"group/{k}" if k else "group") for k in ties
        }
        overall = names.pop("all")
        sides = {side: [name for name, e in names.items() if _side(e) == side] for side in ("above", "below", "near")}
        parts = [
            f"{title}: {', '.join(sides[side])}"
            for side, title in (
                ("above", "above chance"),
                ("below", "below chance"),
                ("near", "cannot be told from chance"),
            )
            if sides[side]
        ]
        line = f"- **{label(variant)}**: group score {100 * overall.value:.1f} ({100 * overall.chance:.1f} by chance)"
        line += f"; by exchange, {'; '.join(parts)}." if parts else "."
        if ties[""] >= ALMOST_ALL:
            line += " Both captions score the same but for rounding: it does not see which word belongs to what."
        elif ties[""] > 0:
            line += f" Both captions score the same for {100 * ties['']:.0f}% of the images."
        lines.append(line)
    return "\n".join(lines)


def _side(estimate: Estimate) -> str:
    if estimate.low > estimate.chance:
        return "above"
    return "below" if estimate.high < estimate.chance else "near"


def left_out(study: StudyResults, variants: list[str], benchmark: str) -> str:
    """Return a note on the variants that were not evaluated on a benchmark; empty where all were."""
    absent = [label(variant) for variant in variants if not study.has(variant, benchmark)]
    return f"> Not drawn, for want of a result on `{benchmark}`: {', '.join(absent)}." if absent else ""
