"""The gating paper's claims, its open questions and our controls, each as a test on the variants of this benchmark."""

import functools
from collections.abc import Sequence

import numpy as np

from compactvl.evaluation.gates import regression
from compactvl.evaluation.statistics import Interval
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Claim, Outcome, greater, missing, points, within
from compactvl.reporting.gating.checkpoints import changes, checkpoints, oscillation
from compactvl.reporting.gating.items import (
    LANGUAGE,
    Score,
    common_difference,
    difference,
    has_task,
    item_values,
    mean_difference,
    surprisal_difference,
)
from compactvl.reporting.gating.labels import label, task_label
from compactvl.reporting.gating.published import CONCRETENESS_RHO, CONTRASTIVE_COST, KRUSKAL_H
from compactvl.reporting.gating.words import (
    GATES,
    PROBE,
    collapse,
    contrast_change,
    gate_words,
    kruskal_p,
    means_apart,
    spearman_p,
)
from compactvl.reporting.study import StudyResults

BENCHMARKS = ("pairs", "ewok", "vqa", "winoground")
IMAGE_TASKS = ("vqa", "winoground")
SIGNIFICANT = 0.001
SMALL_EFFECT = 0.01
"""ε² below this is no difference worth the name, however many words there are."""
ABOUT = 0.02
"""Two accuracies are "about as good" within this margin (0..1)."""
FEWEST_CHECKPOINTS = 4
KRUSKAL = ("kruskal_h", "epsilon_squared")
CONTRAST = "content_minus_function"
MAIN_EFFECTS = ("frequency", "content", "concreteness")


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
            choice. text_only: trained on text alone. alternating, mixed: curricula. captions_only: the curriculum
            without text. both_streams: the curriculum it is compared with. ngrams: count models.
            smallest, largest: the least and all of the data.
    """
    test = functools.partial
    return [
        Claim("pos", "Gates differ by part of speech.", test(_pos, variant=main)),
        Claim(
            "content",
            "Content words look more: their gate is lower than that of function words.",
            test(_content, variant=main),
        ),
        Claim("concreteness", "The gate falls with a word's concreteness.", test(_concreteness, variant=main)),
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
            test(_regression, variant=main),
            "question",
        ),
        Claim(
            "captions_only",
            "Captions alone teach about as much grammar as text and captions (minimal pairs).",
            test(_about, a=captions_only, b=both_streams, task="pairs"),
            "question",
        ),
        Claim(
            "probe",
            "The model looks where the image is necessary: the gate is lower there than where it is irrelevant.",
            test(_probe, variant=main),
            "question",
        ),
        Claim(
            "scale",
            "With more data function and content words' gates move apart.",
            test(_scale, smallest=smallest, largest=largest),
            "question",
        ),
        Claim(
            "grammar_cost",
            "Going on with captions costs little grammar: minimal pairs are about as good as with text only.",
            test(_about, a=main, b=text_only, task="pairs"),
            "question",
        ),
        Claim(
            "own_image",
            "The model reads the image: its own one is better than another.",
            test(_image, variant=main, instead="other"),
            "control",
        ),
        Claim(
            "no_image",
            "The model uses the image: its own one is better than none.",
            test(_image, variant=main, instead="none"),
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
        Claim("chance", "Minimal pairs are above chance.", test(_above_chance, variant=main, task="pairs"), "control"),
        Claim("collapse", "The gate has not collapsed to a constant.", test(_not_collapsed, variant=main), "control"),
    ]


def _absent(study: StudyResults, variants: Sequence[str], tasks: Sequence[str]) -> Outcome | None:
    lacking = [f"{variant} ({task_label(task)})" for variant in variants for task in tasks
               if not has_task(study, variant, task)]  # fmt: skip
    return missing(*lacking) if lacking else None


def _not_measured(variant: str, source: str = "captions") -> Outcome:
    return Outcome(OPEN, f"not run in this size: the gates of {label(variant)} on {source}")


def _value(study: StudyResults, variant: str, task: str) -> str:
    return f"{100 * study.estimate(variant, LANGUAGE, task).value:.1f}"


def gate_points(interval: Interval) -> str:
    """Return a difference of gates in words: ``+0.021 [+0.015, +0.027]``."""
    return "{} [{}, {}]".format(*(signed(value) for value in interval))


def signed(value: float, digits: int = 3) -> str:
    """Return a number with its sign: ``−0.139``."""
    return f"{value:+.{digits}f}".replace("-", "−")


def _signed(interval: Interval, evidence: str) -> Outcome:
    """Holds where the whole interval is above zero, fails where it is below."""
    _, low, high = interval
    if low > 0 or high < 0:
        return Outcome(HOLDS if low > 0 else FAILS, evidence)
    return Outcome(OPEN, f"{evidence}: the interval holds both signs, this test is too small to tell")


def _pos(study: StudyResults, *, variant: str) -> Outcome:
    """Significant, and the effect's whole interval above what is no difference worth the name."""
    words, h, effect = (gate_words(study, variant), *(study.estimate(variant, GATES, m) for m in KRUSKAL))
    if words is None:
        return _not_measured(variant)
    if h is None:
        return Outcome(OPEN, f"fewer than two parts of speech in {len(words):,} words")
    p = kruskal_p(words)
    evidence = (
        f"Kruskal-Wallis H = {h.value:,.1f}, {p_value(p)}, ε² = {effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}] "
        f"over {h.n:,} words (the paper: H = {KRUSKAL_H}, p < 0.001; asked for: p < {SIGNIFICANT}, ε² above "
        f"{SMALL_EFFECT})"
    )
    if p < SIGNIFICANT and effect.low > SMALL_EFFECT:
        return Outcome(HOLDS, evidence)
    return Outcome(FAILS if p >= SIGNIFICANT or effect.high < SMALL_EFFECT else OPEN, evidence)


def p_value(p: float, name: str = "p ") -> str:
    """Return ``p < 0.001`` or ``p = 0.012``; without a name ``< 0.001`` or ``0.012``."""
    if p < SIGNIFICANT:
        return f"{name}< 0.001"
    return f"{name}= {p:.3f}" if name else f"{p:.3f}"


def _content(study: StudyResults, *, variant: str) -> Outcome:
    words, apart = gate_words(study, variant), study.estimate(variant, GATES, CONTRAST)
    if words is None or apart is None:
        return _not_measured(variant)
    means = words.groupby("word_class")["gate"].mean()
    interval = apart.value, apart.low, apart.high
    evidence = (
        f"mean gate of content words {means['content']:.3f}, of function words {means['function']:.3f}, difference "
        f"{gate_points(interval)}"
    )
    return _falls(interval, evidence)


def _falls(interval: Interval, evidence: str) -> Outcome:
    """Holds where the whole interval is below zero, fails where it is above."""
    mean, low, high = interval
    return _signed((-mean, -high, -low), evidence)


def _concreteness(study: StudyResults, *, variant: str) -> Outcome:
    words, rho = gate_words(study, variant), study.estimate(variant, GATES, "spearman_concreteness")
    if words is None:
        return _not_measured(variant)
    if rho is None:
        return Outcome(OPEN, f"no concreteness norms are configured (the paper: ρ = {signed(CONCRETENESS_RHO)})")
    interval = rho.value, rho.low, rho.high
    p = p_value(spearman_p(words, "concreteness"))
    return _falls(
        interval, f"ρ = {gate_points(interval)}, {p}, {rho.n:,} words (the paper: ρ = {signed(CONCRETENESS_RHO)})"
    )


def _no_modulation_improves_all(study: StudyResults, *, modulations: Sequence[str], main: str) -> Outcome:
    """Fails if one is better on every benchmark, holds if each is worse on at least one."""
    tasks = [task for task in BENCHMARKS if has_task(study, main, task)]
    found = {m: [difference(study, Score(m, task), Score(main, task)) for task in tasks] for m in modulations}
    found = {m: differences for m, differences in found.items() if differences and None not in differences}
    if not found:
        return missing(*(modulations if tasks else [main]))
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
        table = checkpoints(study, variant)
        if table is None or oscillation(table, task) is None:
            return missing(f"{variant} ({task_label(task)} at checkpoints)")
        steps[variant] = np.abs(changes(table, task))
    first = np.concatenate([np.full(len(values), v in alternating) for v, values in steps.items()])
    each = ", ".join(f"{label(variant)} {100 * values.mean():.1f}" for variant, values in steps.items())
    evidence = f"mean change between checkpoints in points: {each}"
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


def _regression(study: StudyResults, *, variant: str) -> Outcome:
    """Holds if frequency, class and concreteness all have an effect of their own; needs a norms file."""
    words = gate_words(study, variant)
    if words is None:
        return _not_measured(variant)
    found = regression(words)
    effects = found[found["term"].isin(MAIN_EFFECTS)]
    evidence = "; ".join(
        f"{r.term} {gate_points((r.coef, r.low, r.high))}, {p_value(r.p)}" for r in effects.itertuples()
    )
    if len(effects) < len(MAIN_EFFECTS):
        reason = "no concreteness norms are configured" if words["concreteness"].isna().all() else "too few words"
        return Outcome(OPEN, f"{reason}; without: {evidence}" if evidence else reason)
    return Outcome(HOLDS if (effects["p"] < SIGNIFICANT).all() else OPEN, evidence)


def _probe(study: StudyResults, *, variant: str) -> Outcome:
    words = gate_words(study, variant, PROBE)
    if words is None or not {"necessary", "irrelevant"} <= set(words["condition"]):
        return _not_measured(variant, "the probe")
    words = words[words["condition"].isin(["necessary", "irrelevant"])]
    necessary = (words["condition"] == "necessary").to_numpy()
    found = means_apart(words["gate"], necessary, words["image_id"].to_numpy(dtype=object))
    right = 100 * words.loc[necessary, ["correct", "correct_no_image"]].mean()
    evidence = (
        f"mean gate {words['gate'][necessary].mean():.3f} where necessary, {words['gate'][~necessary].mean():.3f} where "
        f"irrelevant, difference {gate_points(found)}; answers right where necessary {right['correct']:.1f}%, without "
        f"image {right['correct_no_image']:.1f}%"
    )
    return _falls(found, evidence)


def _scale(study: StudyResults, *, smallest: str, largest: str) -> Outcome:
    """The contrast moves away from zero on the side it has with all the data."""
    first, last = (gate_words(study, variant) for variant in (smallest, largest))
    for variant, words in zip((smallest, largest), (first, last), strict=True):
        if words is None or study.estimate(variant, GATES, CONTRAST) is None:
            return _not_measured(variant)
    interval = contrast_change(first, last)
    if interval is None:
        return Outcome(OPEN, "the two were not measured on the same words")
    before, after = (study.estimate(variant, GATES, CONTRAST).value for variant in (smallest, largest))
    evidence = (
        f"content minus function words' gate {signed(before)} ({label(smallest)}) → {signed(after)} (all), change "
        f"{gate_points(interval)}"
    )
    return _falls(interval, evidence) if after < 0 else _signed(interval, evidence)


def _image(study: StudyResults, *, variant: str, instead: str) -> Outcome:
    """On each task about images, the own image beats ``instead`` (none, other)."""
    differences = {
        task_label(task): found
        for task in IMAGE_TASKS
        if (found := difference(study, Score(variant, task, "own"), Score(variant, task, instead)))
    }
    return greater(differences) if differences else missing(*(f"{variant} ({task})" for task in IMAGE_TASKS))


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


def _not_collapsed(study: StudyResults, *, variant: str) -> Outcome:
    words, found = gate_words(study, variant), collapse(study, variant)
    if found is None:
        return _not_measured(variant)
    low, high = np.quantile(words["gate"], [0.05, 0.95])
    layers = ", ".join(f"{sd:.4f}" for sd in found.layers)
    evidence = (
        f"standard deviation over {len(words):,} words by layer {layers} (constant below {found.threshold:g}); last "
        f"layer's gate {words['gate'].mean():.3f} on average, 5% to 95%: {low:.3f} to {high:.3f}"
    )
    return Outcome(FAILS if found else HOLDS, evidence)
