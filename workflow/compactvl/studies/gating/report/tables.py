"""Tables of the language benchmark as data frames of finished text."""

from collections.abc import Mapping, Sequence

import pandas as pd

from compactvl.reporting.claims import signed_interval
from compactvl.reporting.study import Estimate, NotRun
from compactvl.reporting.tables import MISSING, per_cent
from compactvl.studies.gating.report.checkpoints import (
    absolute_changes,
    monitored_tasks,
    reversals,
    sampling_noise,
    seed_checkpoints,
)
from compactvl.studies.gating.report.results import (
    LANGUAGE,
    NO_IMAGE,
    OTHER_IMAGE,
    GatingResults,
    is_perplexity,
    language,
)
from compactvl.studies.gating.report.words import GATES

SHOWN = {
    "": "own image",
    OTHER_IMAGE: "another image",
    NO_IMAGE: "image taken away (a mode its training did not have)",
}
"""Suffix of a task's metric → with which image it was asked."""
PAIRS, WINOGROUND = "pairs", "winoground"
OFFICIAL = ("text", "image", "group")


def shown(study: GatingResults, variant: str, metric: str) -> str:
    """Return a score with its interval: a perplexity as it is, a share (it has a chance level) in per cent."""
    found = study.estimate(variant, LANGUAGE, metric)
    return per_cent(found, scale=1 if found and found.chance is None else 100)


def benchmark_table(
    study: GatingResults, variants: Sequence[str], *, controls: Sequence[str] = (), main: str = ""
) -> pd.DataFrame | NotRun:
    """Return every language task of each variant with its interval, then the controls, chance, and how many items.

    Args:
        variants, controls: in this order; those not scored are left out. main: the variant shown again without its
            image and with another image; ``""``: none.
    """
    models = {v: (study.label(v), "") for v in study.measured(LANGUAGE, variants)}
    asked = {}
    if study.measured(LANGUAGE, [main]):
        asked = {f"{main}{suffix}": (f"{study.short(main)}: {SHOWN[suffix]}", suffix) for suffix in SHOWN if suffix}
    rest = {v: (study.label(v), "") for v in study.measured(LANGUAGE, controls)}
    if not models and not rest:
        return NotRun("none of these variants was scored on the language benchmark")
    tasks = study.tasks([*models, *rest])
    rows = []
    for name, (model, suffix) in (models | asked | rest).items():
        cells = [shown(study, name.removesuffix(suffix), task + suffix) for task in tasks]
        if set(cells) != {MISSING}:
            rows.append([model, *cells])
    any_of = [study.estimate(study.scored([*models, *rest], task)[0], LANGUAGE, task) for task in tasks]
    rows.append(["Chance", *(MISSING if e.chance is None else f"{100 * e.chance:.1f}" for e in any_of)])
    rows.append(["Items", *(f"{e.n:,}" for e in any_of)])
    return pd.DataFrame(rows, columns=["model", *map(study.metric_label, tasks)])


def image_table(study: GatingResults, variants: Sequence[str], control: str = "") -> pd.DataFrame | NotRun:
    """Return each task about images with the own image, with another's, without one and of a control, by variant.

    Args:
        control: trained and asked without images, shown as a column; ``""``: none.
    """
    rows = []
    for task in study.tasks(variants):
        for variant in study.scored(variants, task):
            cells = {name: shown(study, variant, task + suffix) for suffix, name in SHOWN.items()}
            if list(cells.values())[1:] != [MISSING, MISSING]:
                if study.measured(LANGUAGE, [control]):
                    cells[study.label(control)] = shown(study, control, task)
                rows.append({"task": study.metric_label(task), "model": study.label(variant)} | cells)
    return pd.DataFrame(rows) if rows else NotRun("no task was scored with and without images")


def pairs_table(study: GatingResults, variants: Sequence[str], *, reference: str = "bigram") -> pd.DataFrame | NotRun:
    """Return accuracy on the minimal pairs that ``reference`` gets wrong and on those it gets right, a row a variant.

    A model that knows nothing is right on half of both; one that knows what ``reference`` knows, on few of the first.
    """
    run = [variant for variant in variants if variant != reference]
    found = {v: study.split_accuracy(language(v, PAIRS), language(reference, PAIRS)) for v in run}
    found = {variant: parts for variant, parts in found.items() if parts}
    if not found:
        return NotRun(f"no variant can be compared with {study.label(reference)} on {study.metric_label(PAIRS)}")
    rows = []
    for variant, parts in found.items():
        cells = {"all, mean of phenomena": shown(study, variant, PAIRS)}
        for part in ("wrong", "right"):
            n = max((other[part][1] for other in found.values() if part in other), default=0)
            value = Estimate(*parts[part][0]) if part in parts else None
            cells[f"{study.short(reference)} {part} ({n:,} pairs)"] = per_cent(value)
        rows.append({"model": study.label(variant)} | cells)
    return pd.DataFrame(rows)


def winoground_table(study: GatingResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return BabyLM's Winoground score and the official text, image and group score of each variant, and chance."""
    metrics = {f"{score} score": f"{WINOGROUND}_{score}" for score in OFFICIAL}
    columns = {study.metric_label(WINOGROUND): WINOGROUND} | metrics
    run = study.scored(variants, WINOGROUND)
    if not run:
        return NotRun(f"none of these variants was scored on {study.metric_label(WINOGROUND)}")
    rows = [{"model": study.label(v)} | {name: shown(study, v, m) for name, m in columns.items()} for v in run]
    chance = {name: study.estimate(run[0], LANGUAGE, metric) for name, metric in columns.items()}
    chance = {name: MISSING if e is None else f"{100 * e.chance:.1f}" for name, e in chance.items()}
    return pd.DataFrame([*rows, {"model": "Chance"} | chance])


def groups_table(study: GatingResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return each task's groups (phenomena, domains, question types, kinds) of each variant, with the items in each."""
    run = study.measured(LANGUAGE, variants)
    table = study.metrics[study.metrics["variant"].isin(run) & (study.metrics["benchmark"] == LANGUAGE)]
    rows = []
    for task in study.tasks(run):
        for metric in sorted({name for name in table["metric"] if name.startswith(f"{task}/")}):
            n = int(table.loc[table["metric"] == metric, "n"].iloc[0])
            row = {"task": study.metric_label(task), "group": metric.removeprefix(f"{task}/").replace("_", " ")}
            rows.append(row | {"items": f"{n:,}"} | {study.label(v): shown(study, v, metric) for v in run})
    return pd.DataFrame(rows) if rows else NotRun("no task of these variants has groups")


def ties_table(study: GatingResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the share of items whose two best choices score the same, which counts as wrong."""
    rows = []
    for variant in variants:
        ties = {task: study.estimate(variant, LANGUAGE, f"{task}_ties") for task in study.tasks(variants)}
        cells = {study.metric_label(task): per_cent(e, interval=False) for task, e in ties.items() if e}
        if cells:
            rows.append({"model": study.label(variant)} | cells)
    return pd.DataFrame(rows) if rows else NotRun("none of these variants was scored on a task with right and wrong")


def oscillation_table(study: GatingResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the mean absolute change between consecutive checkpoints by curriculum and metric, and the reversals.

    Shares change in points, perplexities in per cent (100 × the change of the logarithm). Beside a share's change is
    what a constant model would show from the sample of items alone.
    """
    found = {variant: seed_checkpoints(study, variant) for variant in variants}
    found = {variant: seeds for variant, seeds in found.items() if any(len(table) > 1 for table in seeds)}
    if not found:
        return NotRun("no log has metrics at two epoch boundaries")
    tasks = monitored_tasks([table for seeds in found.values() for table in seeds])
    rows = []
    for variant, seeds in found.items():
        epochs = {epoch for table in seeds for epoch in table["epoch"]}
        row = {"curriculum": study.label(variant), "checkpoints": str(len(epochs))}
        for task in tasks:
            steps, turned, name = absolute_changes(seeds, task), reversals(seeds, task), study.metric_label(task)
            turns = f" ({turned[0]}/{turned[1]})" if turned else ""
            unit = "%" if is_perplexity(task) else "points"
            row[f"{name}, {unit}"] = f"{100 * steps.mean():.1f}{turns}" if len(steps) else MISSING
            if not is_perplexity(task):
                noise = sampling_noise(study, variant, task)
                row[f"{name}, a constant model"] = MISSING if noise is None else f"{100 * noise:.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def scaling_table(study: GatingResults, arms: Mapping[str, Mapping[float, str]]) -> pd.DataFrame | NotRun:
    """Return every task and the gate's contrast against the share of the pool; ``arms``: name → {share: variant}."""
    tasks = study.tasks(variant for variants in arms.values() for variant in variants.values())
    rows = []
    for arm, shares in arms.items():
        for share, variant in shares.items():
            cells = {study.metric_label(t): shown(study, variant, t) for t in tasks if study.scored([variant], t)}
            contrast = study.estimate(variant, GATES, "content_minus_function")
            gate = MISSING if contrast is None else signed_interval(contrast[:3])
            row = {"arm": arm, "share of the pool": f"{share:g}"}
            rows.append(row | cells | {"content − function gate": gate})
    return pd.DataFrame(rows) if rows else NotRun("no variant on a share of the pool was run")
