"""Tables of the gating report as data frames of finished text."""

from collections.abc import Mapping, Sequence

import pandas as pd

from compactvl.evaluation.gates import CONDITIONS, MEASURES, dunn_by_pos, regression
from compactvl.reporting.gating.checkpoints import checkpoints, is_perplexity, monitored_tasks, oscillation, reversals
from compactvl.reporting.gating.claims import gate_points, p_value
from compactvl.reporting.gating.items import LANGUAGE, has_task, scored
from compactvl.reporting.gating.labels import SHOWN, TASKS, label, pos_label, short, task_label
from compactvl.reporting.gating.words import (
    GATES,
    PROBE,
    collapse,
    gate_words,
    gated,
    kruskal_p,
    parts_of_speech,
)
from compactvl.reporting.labels import label as common_label
from compactvl.reporting.study import Estimate, NotRun, StudyResults
from compactvl.reporting.tables import MISSING, per_cent
from compactvl.reporting.tables import parameter_table as common_parameter_table

SUFFIX = {"own": "", "none": "_no_image", "other": "_other_image"}
OFFICIAL = ("text", "image", "group")


def shown(estimate: Estimate | None, task: str, interval: bool = True) -> str:
    """Return an estimate as its task is shown: a perplexity as it is, a share in per cent."""
    if estimate is None or not is_perplexity(task):
        return per_cent(estimate, interval)
    text = f"{estimate.value:,.1f}" + ("" if estimate.sd is None else f" ± {estimate.sd:,.1f}")
    return f"{text} [{estimate.low:,.1f}, {estimate.high:,.1f}]" if interval else text


def benchmark_table(
    study: StudyResults, variants: Sequence[str], *, controls: Sequence[str] = (), main: str = ""
) -> pd.DataFrame | NotRun:
    """Return every language task of each variant with its interval, then the controls, then chance.

    Args:
        variants, controls: in this order; those not scored are left out. main: the variant shown again without its
            image and with another image; ``""``: none.
    """
    run = [variant for variant in [*variants, *controls] if study.has(variant, LANGUAGE)]
    if not run:
        return NotRun("none of these variants was scored on the language benchmark")
    tasks = [task for task in TASKS if scored(study, run, task)]
    rows = [_row(study, variant, tasks, "") for variant in run if variant in variants]
    if main in run:
        for condition in ("none", "other"):
            row = _row(study, main, tasks, SUFFIX[condition])
            if any(row[task_label(task)] != MISSING for task in tasks):
                rows.append(row | {"model": f"{short(main)}: {SHOWN[condition]}"})
    rows += [_row(study, variant, tasks, "") for variant in run if variant not in variants]
    rows.append({"model": "Chance"} | {task_label(task): _chance(study, run, task) for task in tasks})
    return pd.DataFrame(rows)


def _row(study: StudyResults, variant: str, tasks: Sequence[str], suffix: str) -> dict[str, str]:
    cells = {task_label(task): shown(study.estimate(variant, LANGUAGE, task + suffix), task) for task in tasks}
    return {"model": label(variant)} | cells


def _chance(study: StudyResults, variants: Sequence[str], task: str) -> str:
    found = study.estimate(scored(study, variants, task)[0], LANGUAGE, task)
    return MISSING if found.chance is None else f"{100 * found.chance:.1f}"


def image_table(
    study: StudyResults, variants: Sequence[str], tasks: Sequence[str] = ("vqa", "winoground", "caption_perplexity")
) -> pd.DataFrame | NotRun:
    """Return each task about images with the own image, without one and with another's, a row a variant and task."""
    rows = []
    for task in tasks:
        for variant in scored(study, variants, task):
            found = {c: study.estimate(variant, LANGUAGE, task + suffix) for c, suffix in SUFFIX.items()}
            if found["none"] or found["other"]:
                cells = {SHOWN[condition]: shown(estimate, task) for condition, estimate in found.items()}
                rows.append({"task": task_label(task), "model": label(variant)} | cells)
    return pd.DataFrame(rows) if rows else NotRun("no task was scored with and without images")


def winoground_table(study: StudyResults, variants: Sequence[str], task: str = "winoground") -> pd.DataFrame | NotRun:
    """Return BabyLM's Winoground score and the official text, image and group score of each variant, and chance."""
    columns = {task_label(task): task} | {f"{s} score": f"{task}_{s}" for s in OFFICIAL}
    run = scored(study, variants, task)
    if not run:
        return NotRun(f"none of these variants was scored on {task_label(task)}")
    found = {v: {name: study.estimate(v, LANGUAGE, metric) for name, metric in columns.items()} for v in run}
    rows = [{"model": label(v)} | {name: per_cent(e) for name, e in cells.items()} for v, cells in found.items()]
    chance = {n: MISSING if e is None else f"{100 * e.chance:.1f}" for n, e in found[run[0]].items()}
    return pd.DataFrame([*rows, {"model": "Chance"} | chance])


def groups_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return each task's groups (phenomena, domains, question types, kinds) of each variant, with the items in each."""
    run = [variant for variant in variants if study.has(variant, LANGUAGE)]
    rows = []
    for task in (task for task in TASKS if not is_perplexity(task)):
        metrics = study.metrics[study.metrics["variant"].isin(run) & (study.metrics["benchmark"] == LANGUAGE)]["metric"]
        for metric in sorted({m for m in metrics if m.startswith(f"{task}/")}):
            found = {variant: study.estimate(variant, LANGUAGE, metric) for variant in run}
            n = next(e.n for e in found.values() if e)
            group = metric.removeprefix(f"{task}/").replace("_", " ")
            cells = {label(variant): per_cent(estimate) for variant, estimate in found.items()}
            rows.append({"task": task_label(task), "group": group, "items": f"{n:,}"} | cells)
    return pd.DataFrame(rows) if rows else NotRun("no task of these variants has groups")


def gates_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the last layer's gate on captions: mean, spread, content and function words, and the tests, by variant."""
    rows = []
    for variant in gated(study, variants):
        words = gate_words(study, variant)
        means, h = words.groupby("word_class")["gate"].mean(), study.estimate(variant, GATES, "kruskal_h")
        rows.append(
            {
                "model": label(variant),
                "words": f"{len(words):,}",
                "mean": f"{words['gate'].mean():.3f}",
                "sd over words": f"{words['gate'].std(ddof=0):.4f}"
                + (" (collapsed)" if collapse(study, variant) else ""),
                "sd over features": f"{words['gate_sd'].mean():.3f}",
                "content": f"{means['content']:.3f}" if "content" in means else MISSING,
                "function": f"{means['function']:.3f}" if "function" in means else MISSING,
                "content − function": _gate(study, variant, "content_minus_function"),
                "H": MISSING if h is None else f"{h.value:,.1f}, {p_value(kruskal_p(words))}",
                "ε²": _gate(study, variant, "epsilon_squared"),
                "ρ frequency": _gate(study, variant, "spearman_frequency"),
                "ρ concreteness": _gate(study, variant, "spearman_concreteness"),
            }
        )
    return pd.DataFrame(rows) if rows else NotRun("the gates of none of these variants were measured")


def _gate(study: StudyResults, variant: str, metric: str) -> str:
    found = study.estimate(variant, GATES, metric)
    if found is None:
        return MISSING
    text = gate_points((found.value, found.low, found.high))
    return text.replace("+", "") if metric == "epsilon_squared" else text


def dunn_table(study: StudyResults, variant: str) -> pd.DataFrame | NotRun:
    """Return Dunn's test between the parts of speech as a triangle of p-values (Holm's correction)."""
    words = gate_words(study, variant)
    found = pd.DataFrame() if words is None else dunn_by_pos(words)
    if found.empty:
        return NotRun(f"the gates of {label(variant)} were not measured on two parts of speech")
    p = {frozenset((row.pos_a, row.pos_b)): row.p_holm for row in found.itertuples()}
    order = parts_of_speech(words)
    means = words.groupby("pos")["gate"].mean()
    rows = []
    for n, a in enumerate(order):
        cells = {pos_label(b): p_value(p[frozenset((a, b))], "") if n < m else "" for m, b in enumerate(order) if m}
        rows.append({"": pos_label(a), "mean gate": f"{means[a]:.3f}"} | cells)
    return pd.DataFrame(rows)


def regression_table(study: StudyResults, variant: str) -> pd.DataFrame | NotRun:
    """Return the regression of the gate on frequency, class and, where norms are configured, concreteness."""
    words = gate_words(study, variant)
    found = pd.DataFrame() if words is None else regression(words)
    if found.empty:
        return NotRun(f"the gates of {label(variant)} were not measured on enough words")
    return pd.DataFrame(
        {
            "term": found["term"].str.replace(":", " × ").str.replace("content", "content word"),
            "coefficient": [gate_points((r.coef, r.low, r.high)) for r in found.itertuples()],
            "p": [p_value(p, "") for p in found["p"]],
        }
    )


def probe_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the gate, and answers right with and without the image, by how much the image is needed."""
    rows = []
    for variant in gated(study, variants, PROBE):
        for condition in CONDITIONS:
            found = {m: study.estimate(variant, GATES, f"{m}/{condition}") for m in MEASURES.values()}
            if found["probe_gate"] is None:
                continue
            gate = found["probe_gate"]
            rows.append(
                {
                    "model": label(variant),
                    "the image is": condition,
                    "items": f"{gate.n:,}",
                    "gate": f"{gate.value:.3f} [{gate.low:.3f}, {gate.high:.3f}]",
                    "right": per_cent(found["probe_accuracy"]),
                    "right without image": per_cent(found["probe_accuracy_no_image"]),
                }
            )
    return pd.DataFrame(rows) if rows else NotRun("the probe was run for none of these variants")


def oscillation_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the mean absolute change between consecutive checkpoints by curriculum and metric, and the reversals.

    Shares change in points, perplexities in per cent (100 × the change of the logarithm).
    """
    found = {variant: table for variant in variants if (table := checkpoints(study, variant)) is not None}
    found = {variant: table for variant, table in found.items() if len(table) > 1}
    if not found:
        return NotRun("no log has metrics at two epoch boundaries")
    tasks = monitored_tasks(list(found.values()))
    rows = []
    for variant, table in found.items():
        row = {"curriculum": label(variant), "checkpoints": str(len(table))}
        for task in tasks:
            change, turned = oscillation(table, task), reversals(table, task)
            turns = "" if turned is None else f" ({turned[0]}/{turned[1]})"
            unit = "%" if is_perplexity(task) else "points"
            row[f"{task_label(task)}, {unit}"] = MISSING if change is None else f"{100 * change:.1f}{turns}"
        rows.append(row)
    return pd.DataFrame(rows)


def scaling_table(
    study: StudyResults, arms: Mapping[str, Mapping[float, str]], tasks: Sequence[str] = tuple(TASKS)
) -> pd.DataFrame | NotRun:
    """Return every task and the gate's contrast against the share of the data; ``arms``: name → {share: variant}."""
    rows = []
    for arm, variants in arms.items():
        for share, variant in sorted(variants.items()):
            if not study.has(variant, LANGUAGE):
                continue
            cells = {task_label(t): shown(study.estimate(variant, LANGUAGE, t), t) for t in tasks
                     if has_task(study, variant, t)}  # fmt: skip
            gate = _gate(study, variant, "content_minus_function")
            rows.append({"arm": arm, "data": f"{share:g}"} | cells | {"content − function gate": gate})
    return pd.DataFrame(rows) if rows else NotRun("no variant on a share of the data was run")


def ties_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the share of items whose two best choices score the same, which counts as wrong."""
    rows = []
    for variant in variants:
        ties = {t: study.estimate(variant, LANGUAGE, f"{t}_ties") for t in TASKS}
        if any(e is not None for e in ties.values()):
            rows.append({"model": label(variant)} | {task_label(t): per_cent(e, False) for t, e in ties.items() if e})
    return pd.DataFrame(rows) if rows else NotRun("none of these variants was scored on a task with right and wrong")


def parameter_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return parameters by part (rows) and variant (columns)."""
    table = common_parameter_table(study, list(variants))
    names = {common_label(variant): label(variant) for variant in variants}
    return table if isinstance(table, NotRun) else table.rename(columns=names)
