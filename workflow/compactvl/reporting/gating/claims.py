"""The gating paper's claims, its open questions and our controls, each as a test on the variants of this benchmark."""

import functools
from collections.abc import Sequence

import numpy as np

from compactvl.evaluation.statistics import Interval
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Claim, Outcome, greater, missing, points, within
from compactvl.reporting.gating import gate_claims
from compactvl.reporting.gating.checkpoints import absolute_changes, sampling_noise, seed_checkpoints
from compactvl.reporting.gating.items import (
    LANGUAGE,
    Score,
    common_difference,
    difference,
    has_task,
    item_values,
    mean_difference,
    split_accuracy,
    surprisal_difference,
)
from compactvl.reporting.gating.labels import label, task_label
from compactvl.reporting.gating.numbers import signed
from compactvl.reporting.gating.published import CONTRASTIVE_COST
from compactvl.reporting.gating.words import means_apart
from compactvl.reporting.study import StudyResults

BENCHMARKS = ("pairs", "ewok", "vqa", "winoground")
IMAGE_TASKS = ("vqa", "winoground")
ABOUT = 0.02
"""Two accuracies are "about as good" within this margin (0..1)."""
FEWEST_CHECKPOINTS = 4


def gating_claims(
    *,
    main: str,
    no_gate: str,
    hard: str,
    text_only: str,
    modulations: Sequence[str],
    contrastive: Sequence[str],
    alternating: Sequence[str],
    mixed: Sequence[str],
    captions_only: str,
    both_streams: str,
    patches: str,
    ngrams: Sequence[str],
    smallest: str,
    largest: str,
) -> list[Claim]:
    """Return the paper's claims, then its questions, then our controls.

    Args:
        main: the soft per-feature gate. no_gate, hard, patches, modulations, contrastive: what differs from it by one
            choice. text_only: the control, trained on the same texts and captions for as many steps with the images
            withheld. alternating, mixed: curricula. captions_only: the curriculum
            without text. both_streams: the curriculum it is compared with. ngrams: count models.
            smallest, largest: the least and all of the pool, with as many steps.
    """
    test = functools.partial
    return [
        Claim("pos", "Gates differ by part of speech.", test(gate_claims.pos, variant=main)),
        Claim(
            "content",
            "Content words look more: their gate is lower than that of function words.",
            test(gate_claims.content, variant=main),
        ),
        Claim(
            "concreteness", "The gate falls with a word's concreteness.", test(gate_claims.concreteness, variant=main)
        ),
        Claim(
            "modulation",
            "No modulation improves all five benchmarks.",
            test(_no_modulation_improves_all, modulations=modulations, main=main),
        ),
        Claim(
            "winoground",
            "Modulation helps on Winoground (mean over the modulated variants).",
            test(_modulation_on, modulations=modulations, main=main, task="winoground"),
        ),
        Claim(
            "contrastive",
            "Contrastive losses cost points on BLiMP's kind of minimal pairs (the paper: 2 to 4).",
            test(_costs, variants=contrastive, main=main, task="pairs"),
        ),
        Claim(
            "oscillation",
            "Alternating epochs make VQA oscillate more than mixed curricula.",
            test(_oscillates, alternating=alternating, mixed=mixed, task="vqa"),
        ),
        Claim(
            "gate_helps",
            "A gate is better than none (mean of the benchmarks).",
            test(_better, a=main, b=no_gate),
            "question",
        ),
        Claim(
            "soft",
            "A soft gate is better than a hard one (mean of the benchmarks).",
            test(_better, a=main, b=hard),
            "question",
        ),
        Claim(
            "patches",
            "Patch tokens serve better than one CLS vector where the image is asked about (VQA, Winoground).",
            test(_better, a=patches, b=main, tasks=IMAGE_TASKS),
            "question",
        ),
        Claim(
            "regression",
            "Frequency, class and concreteness each explain the gate when all are known.",
            test(gate_claims.explained, variant=main),
            "question",
        ),
        Claim(
            "captions_only",
            "Captions alone teach about as much grammar as text and captions (minimal pairs).",
            test(_untrained_mode, a=captions_only, b=both_streams, task="pairs"),
            "question",
        ),
        Claim(
            "probe",
            "The model looks where the image is necessary: the gate is lower there than where it is irrelevant.",
            test(gate_claims.probe, variant=main),
            "question",
        ),
        Claim(
            "scale",
            "With more distinct data, at as many steps, content and function words' gates move apart.",
            test(gate_claims.scale, smallest=smallest, largest=largest),
            "question",
        ),
        Claim(
            "grammar_cost",
            "Images cost little grammar: minimal pairs are about as good as of the control whose images were withheld.",
            test(_about, a=main, b=text_only, task="pairs"),
            "question",
        ),
        Claim(
            "captions_need_images",
            "Held-out captions are more probable with their own image than with another one, and than to the control whose "
            "images were withheld.",
            test(_captions_need_images, main=main, control=text_only),
            "control",
        ),
        Claim(
            "own_image",
            "The image helps: its own one is better than another one, in the same model.",
            test(_own_image, variant=main),
            "control",
        ),
        Claim(
            "image_helps",
            "The image helps: with it the model is better than the control whose images were withheld.",
            test(_image_helps, main=main, control=text_only),
            "control",
        ),
        *(
            Claim(
                name,
                f"Held-out perplexity is lower than the {name} model's.",
                test(_perplexity, main=main, other=name),
                "control",
            )
            for name in ngrams
        ),
        Claim(
            "chance",
            "Minimal pairs are above chance (most test neighbouring words, so this is no evidence of more).",
            test(_above_chance, variant=main, task="pairs"),
            "control",
        ),
        *(
            Claim(
                f"pairs_{name}",
                f"Better than the {name} model on the minimal pairs.",
                test(_beats_counting, main=main, other=name, task="pairs"),
                "control",
            )
            for name in ngrams
        ),
        Claim(
            "collapse",
            "In no layer has the gate collapsed to a constant.",
            test(gate_claims.not_collapsed, variant=main),
            "control",
        ),
    ]


def _absent(study: StudyResults, variants: Sequence[str], tasks: Sequence[str]) -> Outcome | None:
    lacking = [f"{variant} ({task_label(task)})" for variant in variants for task in tasks
               if not has_task(study, variant, task)]  # fmt: skip
    return missing(*lacking) if lacking else None


def _value(study: StudyResults, variant: str, task: str) -> str:
    return f"{100 * study.estimate(variant, LANGUAGE, task).value:.1f}"


def _signed(interval: Interval, evidence: str) -> Outcome:
    """Holds where the whole interval is above zero, fails where it is below."""
    _, low, high = interval
    if low > 0 or high < 0:
        return Outcome(HOLDS if low > 0 else FAILS, evidence)
    return Outcome(OPEN, f"{evidence}: the interval holds both signs, this test is too small to tell")


def _no_modulation_improves_all(study: StudyResults, *, modulations: Sequence[str], main: str) -> Outcome:
    """Fails if one is better on every benchmark, holds if each is worse on at least one; on fewer benchmarks neither."""
    tasks = BENCHMARKS
    if absent := _absent(study, [main], tasks):
        return Outcome(OPEN, f"{absent.evidence}; it takes all {len(tasks)} to say so")
    found = {m: [difference(study, Score(m, task), Score(main, task)) for task in tasks] for m in modulations}
    found = {m: differences for m, differences in found.items() if None not in differences}
    if not found:
        return _absent(study, modulations, tasks) or missing(*modulations)
    every = [m for m, differences in found.items() if all(low > 0 for _, low, _ in differences)]
    worse = [m for m, differences in found.items() if any(high < 0 for *_, high in differences)]
    counts = "; ".join(
        f"{label(m)}: {sum(low > 0 for _, low, _ in d)} better, {sum(high < 0 for *_, high in d)} worse"
        for m, d in found.items()
    )
    evidence = f"of {len(tasks)} benchmarks, beyond the interval: {counts}"
    if every:
        return Outcome(FAILS, f"{', '.join(map(label, every))} improves all {len(tasks)}; {evidence}")
    if len(worse) == len(found) == len(modulations):
        return Outcome(HOLDS, evidence)
    return Outcome(OPEN, f"{evidence}. None is better on all, but not each is clearly worse on one")


def _modulation_on(study: StudyResults, *, modulations: Sequence[str], main: str, task: str) -> Outcome:
    run = [m for m in modulations if has_task(study, m, task)]
    if not run or not has_task(study, main, task):
        return missing(*(modulations if not run else [main]))
    found = common_difference(study, [Score(m, task) for m in run], Score(main, task))
    each = ", ".join(
        f"{label(m)} {signed(100 * difference(study, Score(m, task), Score(main, task))[0], 1)}" for m in run
    )
    outcome = greater({f"{task_label(task)}, mean of {len(run)},": found})
    return Outcome(outcome.verdict, f"{outcome.evidence}; one by one: {each}")


def _costs(study: StudyResults, *, variants: Sequence[str], main: str, task: str) -> Outcome:
    if absent := _absent(study, [*variants, main], [task]):
        return absent
    costs = {
        f"{label(variant)} costs": difference(study, Score(main, task), Score(variant, task)) for variant in variants
    }
    outcome = greater(costs)
    low, high = CONTRASTIVE_COST
    inside = [name.removesuffix(" costs") for name, (cost, *_) in costs.items() if low <= cost <= high]
    note = f"between 2 and 4 points: {', '.join(inside) or 'none'}"
    return Outcome(outcome.verdict, f"{outcome.evidence}; {note}")


def _oscillates(study: StudyResults, *, alternating: Sequence[str], mixed: Sequence[str], task: str) -> Outcome:
    """Mean absolute change between checkpoints, alternating against mixed; the changes are resampled."""
    steps: dict[str, np.ndarray] = {}
    for variant in [*alternating, *mixed]:
        steps[variant] = absolute_changes(seed_checkpoints(study, variant), task)
        if not len(steps[variant]):
            return missing(f"{variant} ({task_label(task)} at checkpoints)")
    first = np.concatenate([np.full(len(values), v in alternating) for v, values in steps.items()])
    each = []
    for variant, values in steps.items():
        noise = sampling_noise(study, variant, task)
        alone = "" if noise is None else f" (a constant model's, from the sample of items alone: {100 * noise:.1f})"
        each.append(f"{label(variant)} {100 * values.mean():.1f}{alone}")
    evidence = f"mean change between checkpoints in points: {', '.join(each)}"
    if min(map(len, steps.values())) + 1 < FEWEST_CHECKPOINTS:
        return Outcome(OPEN, f"{evidence}; fewer than {FEWEST_CHECKPOINTS} checkpoints")
    outcome = greater({"alternating minus mixed": means_apart(np.concatenate(list(steps.values())), first)})
    return Outcome(outcome.verdict, f"{outcome.evidence}; {evidence}")


def _better(study: StudyResults, *, a: str, b: str, tasks: Sequence[str] = BENCHMARKS) -> Outcome:
    """``a`` is better than ``b`` in the mean of the tasks; the evidence names each."""
    run = [task for task in tasks if has_task(study, a, task) and has_task(study, b, task)]
    if not run:
        return _absent(study, [a, b], tasks)
    pairs = [(Score(a, task), Score(b, task)) for task in run]
    each = {f"{task_label(task)} {_value(study, b, task)} → {_value(study, a, task)},": difference(study, *pair)
            for task, pair in zip(run, pairs, strict=True)}  # fmt: skip
    if len(run) == 1:
        return greater(each)
    outcome = greater({f"mean of {len(run)}": mean_difference(study, pairs)})
    parts = "; ".join(f"{name} {points(interval)}" for name, interval in each.items())
    return Outcome(outcome.verdict, f"{outcome.evidence}; {parts}")


def _about(study: StudyResults, *, a: str, b: str, task: str) -> Outcome:
    """``a`` is not worse than ``b`` by more than a margin."""
    if absent := _absent(study, [a, b], [task]):
        return absent
    name = f"{task_label(task)} {_value(study, b, task)} → {_value(study, a, task)},"
    return within({name: difference(study, Score(a, task), Score(b, task))}, ABOUT)


def _untrained_mode(study: StudyResults, *, a: str, b: str, task: str) -> Outcome:
    """The numbers of :func:`_about` without a verdict, as ``a`` never ran without cross-attention and is scored so."""
    outcome = _about(study, a=a, b=b, task=task)
    if not has_task(study, a, task) or not has_task(study, b, task):
        return outcome
    numbers = points(difference(study, Score(a, task), Score(b, task)))
    return Outcome(
        OPEN,
        f"{task_label(task)} {_value(study, b, task)} → {_value(study, a, task)}, {numbers}; but {label(a)} was never "
        "trained without an image, and texts are scored without one: this measures the unknown mode too",
    )


def _captions_need_images(study: StudyResults, *, main: str, control: str) -> Outcome:
    """Nats a token that the own image saves, against another image and against the control without images."""
    task = "caption_perplexity"
    if absent := [variant for variant in (main, control) if not has_task(study, variant, task)]:
        return missing(*(f"{variant} ({task_label(task)})" for variant in absent))
    own = Score(main, task, "own")
    others = {"another image": Score(main, task, "other"), "the control": Score(control, task, "own")}
    verdicts, parts = [], []
    for name, other in others.items():
        found = surprisal_difference(study, other, own)
        if found is None:
            return Outcome(OPEN, f"{name}: not over the same tokens")
        verdicts.append(_signed(found, "").verdict)
        parts.append("against {}, {} [{}, {}] nats a token saved".format(name, *(signed(value, 2) for value in found)))
    verdict = FAILS if FAILS in verdicts else OPEN if OPEN in verdicts else HOLDS
    return Outcome(verdict, "; ".join(parts))


def _own_image(study: StudyResults, *, variant: str) -> Outcome:
    """On each task about images, the own image beats another item's."""
    differences = {
        task_label(task): found
        for task in IMAGE_TASKS
        if (found := difference(study, Score(variant, task, "own"), Score(variant, task, "other")))
    }
    return greater(differences) if differences else missing(*(f"{variant} ({task})" for task in IMAGE_TASKS))


def _image_helps(study: StudyResults, *, main: str, control: str) -> Outcome:
    """On each task about images, ``main`` with the own image beats the control that was trained and asked without."""
    differences = {
        f"{task_label(task)} {_value(study, control, task)} → {_value(study, main, task)},": found
        for task in IMAGE_TASKS
        if (found := difference(study, Score(main, task, "own"), Score(control, task)))
    }
    return greater(differences) if differences else _absent(study, [main, control], IMAGE_TASKS) or missing(main)


def _perplexity(study: StudyResults, *, main: str, other: str) -> Outcome:
    tasks = [t for t in ("text_perplexity", "caption_perplexity") if has_task(study, main, t)]
    tasks = [task for task in tasks if has_task(study, other, task)]
    if not tasks:
        return missing(*(v for v in (main, other) if not has_task(study, v, "text_perplexity")))
    verdicts, parts = [], []
    for task in tasks:
        ours, theirs = (study.estimate(v, LANGUAGE, task).value for v in (main, other))
        found = surprisal_difference(study, Score(other, task), Score(main, task))
        part = f"{task_label(task)} {theirs:,.1f} → {ours:,.1f}"
        if found is None:
            return Outcome(OPEN, f"{part}: not over the same tokens")
        verdicts.append(_signed(found, "").verdict)
        numbers = "{} [{}, {}]".format(*(signed(value, 2) for value in found))
        parts.append(f"{part}, {numbers} nats a token saved")
    verdict = FAILS if FAILS in verdicts else OPEN if OPEN in verdicts else HOLDS
    return Outcome(verdict, "; ".join(parts))


def _above_chance(study: StudyResults, *, variant: str, task: str) -> Outcome:
    found = study.estimate(variant, LANGUAGE, task)
    if found is None or item_values(study, Score(variant, task)) is None:
        return missing(f"{variant} ({task_label(task)})")
    name = f"{task_label(task)} {100 * found.value:.1f} against {100 * found.chance:.1f} by chance,"
    return greater({name: (found.value - found.chance, found.low - found.chance, found.high - found.chance)})


def _beats_counting(study: StudyResults, *, main: str, other: str, task: str) -> Outcome:
    """Better than a count model; the evidence tells the pairs that it gets wrong from those it gets right."""
    if absent := _absent(study, [main, other], [task]):
        return absent
    name = f"{task_label(task)} {_value(study, other, task)} → {_value(study, main, task)},"
    outcome = greater({name: difference(study, Score(main, task), Score(other, task))})
    parts = split_accuracy(study, Score(main, task), Score(other, task)) or {}
    shares = "; ".join(
        f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}] on the {n:,} it gets {part}"
        for part, ((mean, low, high), n) in parts.items()
    )
    return Outcome(outcome.verdict, f"{outcome.evidence}; {shares}" if shares else outcome.evidence)
