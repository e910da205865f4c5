"""Tables of the gating report as data frames of finished text."""

from collections.abc import Mapping, Sequence

import pandas as pd

from compactvl.evaluation.gates import CONDITIONS, MEASURES, dunn_by_pos, regression
from compactvl.reporting.gating.checkpoints import (
    checkpoints,
    is_perplexity,
    monitored_tasks,
    oscillation,
    reversals,
    sampling_noise,
    seed_checkpoints,
)
from compactvl.reporting.gating.items import (
    LANGUAGE,
    Score,
    has_task,
    item_values,
    language_tasks,
    scored,
    split_accuracy,
)
from compactvl.reporting.gating.labels import SHOWN, label, pos_label, short, task_label
from compactvl.reporting.gating.numbers import gate_points, p_value
from compactvl.reporting.gating.words import (
    GATES,
    PROBE,
    collapse,
    first_seed,
    gate_words,
    gated,
    kruskal_p,
    parts_of_speech,
)
from compactvl.reporting.labels import label as common_label
from compactvl.reporting.study import Estimate, NotRun, StudyResults
from compactvl.reporting.tables import MISSING, per_cent
from compactvl.reporting.tables import parameter_table as common_parameter_table

SUFFIX = {"own": "", "other": "_other_image", "none": "_no_image"}
OFFICIAL = ("text", "image", "group")


def shown(estimate: Estimate | None, task: str, interval: bool = True) -> str:
    """Return an estimate as its task is shown: a perplexity (it has no chance level) as it is, a share in per cent."""
    if estimate is None or (estimate.chance is not None and not is_perplexity(task)):
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
    tasks = language_tasks(study, run)
    rows = [_row(study, variant, tasks, "") for variant in run if variant in variants]
    if main in run:
        for condition in ("other", "none"):
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


def image_table(study: StudyResults, variants: Sequence[str], control: str = "") -> pd.DataFrame | NotRun:
    """Return each task about images with the own image, with another's, without one and of a control, by variant.

    Args:
        control: trained and asked without images, shown as a column; ``""``: none.
    """
    rows = []
    for task in language_tasks(study, variants):
        for variant in scored(study, variants, task):
            found = {c: study.estimate(variant, LANGUAGE, task + suffix) for c, suffix in SUFFIX.items()}
            if found["none"] or found["other"]:
                cells = {SHOWN[condition]: shown(estimate, task) for condition, estimate in found.items()}
                if control and study.has(control, LANGUAGE):
                    cells[label(control)] = shown(study.estimate(control, LANGUAGE, task), task)
                rows.append({"task": task_label(task), "model": label(variant)} | cells)
    return pd.DataFrame(rows) if rows else NotRun("no task was scored with and without images")


def pairs_table(
    study: StudyResults, variants: Sequence[str], *, reference: str = "bigram", task: str = "pairs"
) -> pd.DataFrame | NotRun:
    """Return accuracy on the pairs that ``reference`` gets wrong and on those it gets right, a row a variant.

    A model that knows nothing is right on half of both; one that knows what ``reference`` knows, on few of the first.
    """
    run = [v for v in variants if v != reference and item_values(study, Score(v, task)) is not None]
    found = {v: split_accuracy(study, Score(v, task), Score(reference, task)) for v in run}
    found = {variant: parts for variant, parts in found.items() if parts}
    if not found:
        return NotRun(f"no variant can be compared with {label(reference)} on {task_label(task).lower()}")
    rows = []
    for variant, parts in found.items():
        cells = {"all, mean of phenomena": per_cent(study.estimate(variant, LANGUAGE, task))}
        for part in ("wrong", "right"):
            n = max((other[part][1] for other in found.values() if part in other), default=0)
            value = Estimate(*parts[part][0], None, 1, n, None) if part in parts else None
            cells[f"{short(reference)} {part} ({n:,} pairs)"] = per_cent(value)
        rows.append({"model": label(variant)} | cells)
    return pd.DataFrame(rows)


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
    for task in language_tasks(study, run):
        metrics = study.metrics[study.metrics["variant"].isin(run) & (study.metrics["benchmark"] == LANGUAGE)]["metric"]
        for metric in sorted({m for m in metrics if m.startswith(f"{task}/")}):
            found = {variant: study.estimate(variant, LANGUAGE, metric) for variant in run}
            n = next(e.n for e in found.values() if e)
            group = metric.removeprefix(f"{task}/").replace("_", " ")
            cells = {label(variant): per_cent(estimate) for variant, estimate in found.items()}
            rows.append({"task": task_label(task), "group": group, "items": f"{n:,}"} | cells)
    return pd.DataFrame(rows) if rows else NotRun("no task of these variants has groups")


def gates_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the last layer's gate on captions, first seed: mean, spread, content and function words, and the tests.

    The spread is shown for every layer; a layer whose gate is constant has an asterisk.
    """
    rows = []
    for variant in gated(study, variants):
        words, check = gate_words(study, variant), collapse(study, variant)
        means, h = words.groupby("word_class")["gate"].mean(), first_seed(study, variant, "kruskal_h")
        layers = [
            f"{spread:.4f}{'*' if flat else ''}" for spread, flat in zip(check.layers, check.constant, strict=True)
        ]
        rows.append(
            {
                "model": label(variant),
                "words": f"{len(words):,}",
                "mean": f"{words['gate'].mean():.3f}",
                "5% to 95%": "{:.3f} to {:.3f}".format(*words["gate"].quantile([0.05, 0.95])),
                "sd over words by layer": ", ".join(layers) + (" (collapsed)" if check else ""),
                "sd over features": f"{words['gate_sd'].mean():.3f}",
                "content": f"{means['content']:.3f}" if "content" in means else MISSING,
                "function": f"{means['function']:.3f}" if "function" in means else MISSING,
                "content − function": _gate(first_seed(study, variant, "content_minus_function")),
                "H": MISSING if h is None else f"{h.value:,.1f}, {p_value(kruskal_p(words))}",
                "ε²": _gate(first_seed(study, variant, "epsilon_squared")).replace("+", ""),
                "ρ frequency": _gate(first_seed(study, variant, "spearman_frequency")),
                "ρ concreteness": _gate(first_seed(study, variant, "spearman_concreteness")),
            }
        )
    return pd.DataFrame(rows) if rows else NotRun("the gates of none of these variants were measured")


def _gate(found: Estimate | None) -> str:
    return MISSING if found is None else gate_points((found.value, found.low, found.high))


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
            gate, words = found["probe_gate"], gate_words(study, variant, PROBE)
            rows.append(
                {
                    "model": label(variant),
                    "the image is": condition,
                    "items": f"{gate.n:,}",
                    "words before": f"{words.loc[words['condition'] == condition, 'position'].mean():.1f}",
                    "gate": f"{gate.value:.3f} [{gate.low:.3f}, {gate.high:.3f}]",
                    "right": per_cent(found["probe_accuracy"]),
                    "right, image taken away": per_cent(found["probe_accuracy_no_image"]),
                }
            )
    return pd.DataFrame(rows) if rows else NotRun("the probe was run for none of these variants")


def oscillation_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the mean absolute change between consecutive checkpoints by curriculum and metric, and the reversals.

    Shares change in points, perplexities in per cent (100 × the change of the logarithm). Beside a share's change is
    what a constant model would show from the sample of items alone.
    """
    found = {variant: table for variant in variants if (table := checkpoints(study, variant)) is not None}
    found = {variant: table for variant, table in found.items() if len(table) > 1}
    if not found:
        return NotRun("no log has metrics at two epoch boundaries")
    tasks = monitored_tasks(list(found.values()))
    rows = []
    for variant, table in found.items():
        row, seeds = {"curriculum": label(variant), "checkpoints": str(len(table))}, seed_checkpoints(study, variant)
        for task in tasks:
            change, turned, noise = (
                oscillation(seeds, task),
                reversals(seeds, task),
                sampling_noise(study, variant, task),
            )
            turns = "" if turned is None else f" ({turned[0]}/{turned[1]})"
            unit = "%" if is_perplexity(task) else "points"
            row[f"{task_label(task)}, {unit}"] = MISSING if change is None else f"{100 * change:.1f}{turns}"
            if not is_perplexity(task):
                row[f"{task_label(task)}, a constant model"] = MISSING if noise is None else f"{100 * noise:.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def scaling_table(study: StudyResults, arms: Mapping[str, Mapping[float, str]]) -> pd.DataFrame | NotRun:
    """Return every task and the gate's contrast against the share of the pool; ``arms``: name → {share: variant}."""
    tasks = language_tasks(study, [variant for variants in arms.values() for variant in variants.values()])
    rows = []
    for arm, variants in arms.items():
        for share, variant in sorted(variants.items()):
            if not study.has(variant, LANGUAGE):
                continue
            cells = {task_label(t): shown(study.estimate(variant, LANGUAGE, t), t) for t in tasks
                     if has_task(study, variant, t)}  # fmt: skip
            gate = _gate(study.estimate(variant, GATES, "content_minus_function"))
            rows.append({"arm": arm, "share of the pool": f"{share:g}"} | cells | {"content − function gate": gate})
    return pd.DataFrame(rows) if rows else NotRun("no variant on a share of the pool was run")


def ties_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the share of items whose two best choices score the same, which counts as wrong."""
    rows = []
    for variant in variants:
        ties = {t: study.estimate(variant, LANGUAGE, f"{t}_ties") for t in language_tasks(study, variants)}
        if any(e is not None for e in ties.values()):
            rows.append({"model": label(variant)} | {task_label(t): per_cent(e, False) for t, e in ties.items() if e})
    return pd.DataFrame(rows) if rows else NotRun("none of these variants was scored on a task with right and wrong")


def parameter_table(study: StudyResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return parameters by part (rows) and variant (columns)."""
    table = common_parameter_table(study, list(variants))
    names = {common_label(variant): label(variant) for variant in variants}
    return table if isinstance(table, NotRun) else table.rename(columns=names)
