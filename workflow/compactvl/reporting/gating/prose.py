"""Sentences of the gating report that are made from the results."""

from collections.abc import Sequence

import pandas as pd

from compactvl.reporting.claims import FAILS, OPEN
from compactvl.reporting.gating.items import LANGUAGE, language_tasks
from compactvl.reporting.gating.labels import label, task_label
from compactvl.reporting.gating.words import FEWEST, collapse, gate_words, gated
from compactvl.reporting.study import StudyResults


def does_not_hold(judged: pd.DataFrame) -> str:
    """Return a list of the claims that do not hold here, each with its numbers, then the ones left undecided.

    Args:
        judged: :func:`compactvl.reporting.claims.claims_table`.
    """
    failed = [
        f"- **{row.claim}** ({row.of}) {row.evidence}." for row in judged[judged["verdict"] == FAILS].itertuples()
    ]
    undecided = judged.loc[judged["verdict"] == OPEN, "claim"].str.rstrip(".").tolist()
    lines = failed or ["No claim is contradicted by the numbers."]
    if undecided:
        lines += ["", f"Not decided here, one way or the other: {'; '.join(undecided)}."]
    return "\n".join(lines)


def collapse_note(study: StudyResults, variants: Sequence[str]) -> str:
    """Return a warning that names the variants whose gate is a constant, and layers of others; says so where none is."""
    found = {variant: collapse(study, variant) for variant in gated(study, variants)}
    if not found:
        return ""
    threshold = next(iter(found.values())).threshold
    constant = [label(variant) for variant, check in found.items() if check]
    layers = {
        v: [str(n) for n, flat in enumerate(check.constant, 1) if flat] for v, check in found.items() if not check
    }
    partly = "; ".join(f"{label(v)} (layer {', '.join(numbers)})" for v, numbers in layers.items() if numbers)
    parts = []
    if constant:
        parts.append(
            f"> **Warning: the gate has collapsed to a constant** in {'; '.join(constant)}. It decides nothing there, and "
            f"no analysis of it means anything (last layer, standard deviation over words below {threshold:g})."
        )
    if partly:
        parts.append(f"> Constant in layers before the last: {partly}.")
    return "\n>\n".join(parts) or (
        f"Collapse check: the gate varies between words in every layer of all {len(found)} variants measured."
    )


def small_groups_note(study: StudyResults, variant: str) -> str:
    """Return which parts of speech have too few words to be drawn; empty where all have enough."""
    words = gate_words(study, variant)
    if words is None:
        return ""
    sizes = words["pos"].value_counts()
    few = sizes[sizes < FEWEST].sort_index()
    listed = ", ".join(f"{pos or 'untagged'} ({n})" for pos, n in few.items())
    return f"> Too few words to be drawn: {listed}." if listed else ""


def scale_note(study: StudyResults, main: str) -> str:
    """Return how many items a benchmark has and how far a score can be trusted; empty where none was run."""
    scores = {task: study.estimate(main, LANGUAGE, task) for task in language_tasks(study, [main])}
    found = {task: e for task, e in scores.items() if e.chance is not None}
    if not found:
        return ""
    sizes = ", ".join(f"{task_label(t)} {e.n:,} items, ±{50 * (e.high - e.low):.1f} points" for t, e in found.items())
    return (
        f"How fine a difference can be seen: {sizes} (half the 95% interval of {label(main)}). Each variant was trained "
        f"{'once' if next(iter(found.values())).seeds == 1 else 'with several seeds'}; the intervals are over items, so "
        f"what another seed would have given is {'not' if next(iter(found.values())).seeds == 1 else 'only roughly'} in "
        "them."
    )


def start_note(study: StudyResults, main: str, text_only: str) -> str:
    """Return from which run the main variant starts, and how much both have seen; empty where nothing is known."""
    settings = study.settings(main) or {}
    start = settings.get("start")
    start = next(iter(start.values()), None) if isinstance(start, dict) else start
    seen = {v: n for v in (text_only, main) if (n := study.pairs(v)) is not None}
    if not start and not seen:
        return ""
    parts = []
    if start:
        parts.append(f"`{main}` and what differs from it by one choice start from `{start}`, not from scratch.")
    if seen:
        parts.append("Samples seen: " + ", ".join(f"`{v}` {n:,}" for v, n in seen.items()) + ".")
    return " ".join(parts)
