"""The gating paper's claims, its open questions and our controls, each as a test on the variants of this benchmark."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from compactvl.evaluation.statistics import mean_difference
from compactvl.reporting.claims import (
    FAILS,
    HOLDS,
    OPEN,
    Claim,
    Outcome,
    greater,
    judge,
    missing,
    points,
    signed,
    signed_interval,
)
from compactvl.reporting.paired import Measure, about, above_chance, absent, better, difference, from_to, versus
from compactvl.studies.gating.report import gate_claims
from compactvl.studies.gating.report.checkpoints import absolute_changes, sampling_noise, seed_checkpoints
from compactvl.studies.gating.report.published import CONTRASTIVE_COST
from compactvl.studies.gating.report.results import LANGUAGE, OTHER_IMAGE, GatingResults, language

BENCHMARKS = ("pairs", "ewok", "vqa", "winoground")
IMAGE_TASKS = ("vqa", "winoground")
ABOUT = 0.02
"""Two accuracies are "about as good" within this margin (0..1)."""
FEWEST_CHECKPOINTS = 4
NOTICEABLE = 0.01
"""A benchmark is improved by this much or more (0..1), or not."""


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
    shares: Mapping[float, str],
) -> list[Claim]:
    """Return the paper's claims, then its questions, then our controls.

    Args:
        main: the soft per-feature gate. no_gate, hard, patches, modulations, contrastive: what differs from it by one
            choice. text_only: the control, trained on the same texts and captions for as many steps with the images
            withheld. alternating, mixed: curricula. captions_only: the curriculum without text. both_streams: the
            curriculum it is compared with. ngrams: count models. shares: share of the pool → variant, as many steps.
    """
    # fmt: off
    return [
        Claim("pos", "Gates differ by part of speech.", partial(gate_claims.pos, variant=main)),
        Claim("content", "Content words look more: their gate is lower than that of function words.",
              partial(gate_claims.content, variant=main)),
        Claim("concreteness", "The gate falls with a word's concreteness.",
              partial(gate_claims.concreteness, variant=main)),
        Claim("modulation", "No modulation improves all five benchmarks (by a point or more).",
              partial(_no_modulation_improves_all, modulations=modulations, main=main)),
        Claim("winoground", "Modulation helps on Winoground (mean over the modulated variants).",
              partial(_modulation_on, modulations=modulations, main=main, task="winoground")),
        Claim("contrastive", "Contrastive losses cost 2 points or more on BLiMP's kind of minimal pairs (the paper: 2 to 4).",
              partial(_costs, variants=contrastive, main=main, task="pairs")),
        Claim("oscillation", "Alternating epochs make VQA oscillate more than mixed curricula.",
              partial(_oscillates, alternating=alternating, mixed=mixed, task="vqa")),
        Claim("gate_helps", "A gate is better than none (mean of the benchmarks).",
              partial(_better, a=main, b=no_gate), "question"),
        Claim("soft", "A soft gate is better than a hard one (mean of the benchmarks).",
              partial(_better, a=main, b=hard), "question"),
        Claim("patches", "Patch tokens serve better than one CLS vector where the image is asked about (VQA, Winoground).",
              partial(_better, a=patches, b=main, tasks=IMAGE_TASKS), "question"),
        Claim("regression", "Frequency, class and concreteness each explain the gate when all are known.",
              partial(gate_claims.explained, variant=main), "question"),
        Claim("captions_only", "Captions alone teach about as much grammar as text and captions (minimal pairs).",
              partial(_untrained_mode, a=captions_only, b=both_streams, task="pairs"), "question"),
        Claim("probe", "The model looks where the image is necessary: the gate is lower there than where it is irrelevant.",
              partial(gate_claims.probe, variant=main), "question"),
        Claim("scale", "With more distinct data, at as many steps, content and function words' gates move apart.",
              partial(gate_claims.scale, shares=shares), "question"),
        Claim("grammar_cost",
              "Images cost little grammar: minimal pairs are about as good as of the control whose images were withheld.",
              partial(about, a=language(main, "pairs"), b=language(text_only, "pairs"), margin=ABOUT), "question"),
        Claim("captions_need_images",
              "Held-out captions are more probable with their own image than with another one, and than to the control "
              "whose images were withheld.",
              partial(_captions_need_images, main=main, control=text_only), "control"),
        Claim("own_image", "The image helps: its own one is better than another one, in the same model.",
              partial(_own_image, variant=main), "control"),
        Claim("image_helps", "The image helps: with it the model is better than the control whose images were withheld.",
              partial(better, pairs=versus(main, text_only, LANGUAGE, *IMAGE_TASKS)), "control"),
        *(Claim(name, f"Held-out perplexity is lower than the {name} model's.",
                partial(_perplexity, main=main, other=name), "control") for name in ngrams),
        Claim("chance", "Minimal pairs are above chance (most test neighbouring words, so this is no evidence of more).",
              partial(above_chance, measure=language(main, "pairs")), "control"),
        *(Claim(f"pairs_{name}", f"Better than the {name} model on the minimal pairs.",
                partial(_beats_counting, main=main, other=name, task="pairs"), "control") for name in ngrams),
        Claim("collapse", "In no layer has the gate collapsed to a constant.",
              partial(gate_claims.not_collapsed, variant=main), "control"),
    ]
    # fmt: on


def _no_modulation_improves_all(study: GatingResults, *, modulations: Sequence[str], main: str) -> Outcome:
    """Fails if one is better on every benchmark, holds if each gains less than a point on one; on fewer benchmarks neither."""
    if lacking := absent(study, *(language(main, task) for task in BENCHMARKS)):
        return lacking.also(f"it takes all {len(BENCHMARKS)} to say so")
    found = {m: [difference(study, pair) for pair in versus(m, main, LANGUAGE, *BENCHMARKS)] for m in modulations}
    found = {m: differences for m, differences in found.items() if None not in differences}
    if not found:
        return missing(*modulations)
    every = [m for m, differences in found.items() if judge(differences) == HOLDS]
    stopped = [m for m, differences in found.items() if judge(differences, -NOTICEABLE) == FAILS]
    counts = "; ".join(
        f"{study.label(m)}: {sum(low > 0 for _, low, _ in d)} better, "
        f"{sum(high < NOTICEABLE for *_, high in d)} not better by a point"
        for m, d in found.items()
    )
    evidence = f"of {len(BENCHMARKS)} benchmarks, by the whole interval: {counts}"
    if every:
        return Outcome(FAILS, f"{', '.join(map(study.label, every))} improves all {len(BENCHMARKS)}; {evidence}")
    if len(stopped) == len(found) == len(modulations):
        return Outcome(HOLDS, evidence)
    return Outcome(OPEN, f"{evidence}. None is better on all, but not each is clearly no better on one")


def _modulation_on(study: GatingResults, *, modulations: Sequence[str], main: str, task: str) -> Outcome:
    run = [language(m, task) for m in study.scored(modulations, task)]
    if not run or not study.scored([main], task):
        return missing(*(modulations if not run else [main]))
    found = difference(study, (run, language(main, task)))
    each = {one.variant: difference(study, (one, language(main, task)))[0] for one in run}
    outcome = greater({f"{study.metric_label(task)}, mean of {len(run)},": found})
    one_by_one = ", ".join(f"{study.label(variant)} {signed(100 * mean, 1)}" for variant, mean in each.items())
    return outcome.also(f"one by one: {one_by_one}")


def _costs(study: GatingResults, *, variants: Sequence[str], main: str, task: str) -> Outcome:
    measures = [language(variant, task) for variant in variants]
    if lacking := absent(study, *measures, language(main, task)):
        return lacking
    costs = {study.label(m.variant): difference(study, (language(main, task), m)) for m in measures}
    low, high = CONTRASTIVE_COST
    inside = ", ".join(name for name, (cost, *_) in costs.items() if low <= cost <= high) or "none"
    evidence = "; ".join(f"{name} costs {points(cost)}" for name, cost in costs.items())
    return Outcome(
        judge(costs.values(), -low), f"{evidence}; between {100 * low:g} and {100 * high:g} points: {inside}"
    )


def _oscillates(study: GatingResults, *, alternating: Sequence[str], mixed: Sequence[str], task: str) -> Outcome:
    """Mean absolute change between checkpoints, alternating against mixed; the changes are resampled."""
    steps: dict[str, np.ndarray] = {}
    for variant in [*alternating, *mixed]:
        steps[variant] = absolute_changes(seed_checkpoints(study, variant), task)
        if not len(steps[variant]):
            return missing(f"{variant} ({study.metric_label(task)} at checkpoints)")
    first = np.concatenate([np.full(len(values), v in alternating) for v, values in steps.items()])
    each = []
    for variant, values in steps.items():
        noise = sampling_noise(study, variant, task)
        alone = "" if noise is None else f" (a constant model's, from the sample of items alone: {100 * noise:.1f})"
        each.append(f"{study.label(variant)} {100 * values.mean():.1f}{alone}")
    evidence = f"mean change between checkpoints in points: {', '.join(each)}"
    if min(map(len, steps.values())) + 1 < FEWEST_CHECKPOINTS:
        return Outcome(OPEN, f"{evidence}; fewer than {FEWEST_CHECKPOINTS} checkpoints")
    return greater(
        {"alternating minus mixed": mean_difference(np.concatenate(list(steps.values())), first, ~first)}
    ).also(evidence)


def _better(study: GatingResults, *, a: str, b: str, tasks: Sequence[str] = BENCHMARKS) -> Outcome:
    """``a`` is better than ``b`` in the mean of the tasks both were scored on."""
    run = [task for task in tasks if len(study.scored([a, b], task)) == 2]
    return better(study, versus(a, b, LANGUAGE, *(run or tasks)), mean=True)


def _untrained_mode(study: GatingResults, *, a: str, b: str, task: str) -> Outcome:
    """The numbers without a verdict, as ``a`` never ran without cross-attention and is scored so."""
    pair = language(a, task), language(b, task)
    if lacking := absent(study, *pair):
        return lacking
    return Outcome(
        OPEN,
        f"{from_to(study, *pair)} {points(difference(study, pair))}; but {study.label(a)} was never trained without an "
        "image, and texts are scored without one: this measures the unknown mode too",
    )


def _captions_need_images(study: GatingResults, *, main: str, control: str) -> Outcome:
    """Nats a token that the own image saves, against another image and against the control without images."""
    own, alone = (language(variant, "caption_perplexity") for variant in (main, control))
    if lacking := absent(study, own, alone):
        return lacking
    others = {"another image": language(main, own.metric + OTHER_IMAGE), "the control": alone}
    return _saved(study, {f"against {name},": (other, own) for name, other in others.items()})


def _perplexity(study: GatingResults, *, main: str, other: str) -> Outcome:
    """Nats a token that ``main`` saves of what ``other`` needs, on each kind of text both were scored on."""
    tasks = [t for t in ("text_perplexity", "caption_perplexity") if len(study.scored([main, other], t)) == 2]
    if not tasks:
        return missing(*(v for v in (main, other) if not study.scored([v], "text_perplexity")))
    pairs = {}
    for task in tasks:
        theirs, ours = (study.estimate(variant, LANGUAGE, task).value for variant in (other, main))
        name = f"{study.metric_label(task)} {theirs:,.1f} → {ours:,.1f},"
        pairs[name] = (language(other, task), language(main, task))
    return _saved(study, pairs)


def _saved(study: GatingResults, pairs: Mapping[str, tuple[Measure, Measure]]) -> Outcome:
    """Judge "the second needs fewer nats a token than the first", in each pair."""
    found = {name: study.surprisal_difference(*pair) for name, pair in pairs.items()}
    if lacking := [name for name, interval in found.items() if interval is None]:
        return Outcome(OPEN, f"{lacking[0]} not over the same tokens")
    evidence = "; ".join(f"{name} {signed_interval(saved, 2)} nats a token saved" for name, saved in found.items())
    return Outcome(judge(found.values()), evidence)


def _own_image(study: GatingResults, *, variant: str) -> Outcome:
    """On each task about images, the own image beats another item's."""
    pairs = {task: (language(variant, task), language(variant, task + OTHER_IMAGE)) for task in IMAGE_TASKS}
    found = {study.metric_label(task): difference(study, pair) for task, pair in pairs.items()}
    known = {name: interval for name, interval in found.items() if interval is not None}
    return greater(known) if known else missing(*(f"{variant} ({name})" for name in found))


def _beats_counting(study: GatingResults, *, main: str, other: str, task: str) -> Outcome:
    """Better than a count model; the evidence tells the pairs that it gets wrong from those it gets right."""
    pair = language(main, task), language(other, task)
    shares = "; ".join(
        f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}] on the {n:,} it gets {part}"
        for part, ((mean, low, high), n) in study.split_accuracy(*pair).items()
    )
    return better(study, [pair]).also(shares)
