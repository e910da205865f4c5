"""EDJE's claims, each as a test on the variants of this benchmark."""

import functools

from compactvl.evaluation.statistics import Interval
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Claim, Outcome, greater, missing, within
from compactvl.reporting.edje.start import common_start
from compactvl.reporting.labels import label
from compactvl.reporting.study import StudyResults
from compactvl.reporting.style import DIRECTION_TITLES

SCENES, NAMES = "scenes", "names"
ABOUT = 0.02
"""Two accuracies are "about the same" within this margin of R@1 (0..1)."""
LITTLE = 0.01
"""What quantisation may cost and still cost "little"."""
ONLINE_PAIRS = 64
"""Pairs in a call at which cached and online features are compared, where that was timed."""
ONLINE_FACTOR = 20.0
"""How many times faster than computing vision features online the cached tokens must be."""


def edje_claims(
    *,
    main: str,
    first_stage: str,
    tokens_main: str = "",
    undistilled: str = "",
    hard_negatives: str = "",
    recipe: str = "",
) -> list[Claim]:
    """Return the claims of the page, then the questions it leaves open, then our controls.

    Args:
        main: the variant that stands for EDJE with its chosen number of tokens. first_stage: the embedding model.
        tokens_main: the main number of tokens, trained as long as the other numbers; default: ``main``.
        undistilled: ``compressed_distilled`` without distillation, trained as long; default: ``main``.
        hard_negatives: the first stage's negatives, trained as long as the other choices; default: ``main``.
        recipe: the demo's recipe, trained as long as ``paper_recipe``; default: ``main``.
    """
    undistilled, hard_negatives = undistilled or main, hard_negatives or main
    tokens_main, recipe = tokens_main or main, recipe or main
    test = functools.partial
    return [
        Claim(
            "reranking",
            "Reranking improves the embedding model's R@1 in both directions.",
            test(_better, a=main, b=first_stage, each=True),
        ),
        Claim("few_tokens", "With few tokens R@1 is clearly worse.", test(_few_tokens_worse, main=tokens_main)),
        Claim("many_tokens", "With many tokens R@1 is about that of the local adapter.", _many_about_local),
        Claim(
            "sweet_spot",
            "A middle number of tokens is the sweet spot: about the R@1 of the largest, for a fraction of its storage.",
            test(_sweet_spot, main=tokens_main),
        ),
        Claim("mlm", "Adding masked-language modelling to ITM improves R@1.", test(_better, a="itm_mlm", b="itm_only")),
        Claim(
            "recovery",
            "Adding text-embedding recovery improves R@1 further.",
            test(_better, a="itm_mlm_recovery", b="itm_mlm"),
        ),
        Claim(
            "distillation",
            "Distilling the local adapter into the compressed one improves R@1.",
            test(_distilled, student="compressed_distilled", undistilled=undistilled),
        ),
        Claim("quantisation", "Storing the tokens in 8 bits costs little.", test(_quantised, main=main)),
        Claim(
            "weak_miner",
            "Negatives mined by a weak model hurt a reranker for a strong one.",
            test(_better, a=hard_negatives, b="weak_miner"),
        ),
        Claim(
            "storage",
            "Compression cuts the cache to a fraction at about the R@1 of the local adapter.",
            test(_storage, main=tokens_main),
        ),
        Claim(
            "online",
            f"Reranking from cached tokens is at least {ONLINE_FACTOR:g}× as fast as with online vision features.",
            test(_online, main=main),
        ),
        Claim(
            "gpu_speed",
            "64 pairs take 1.91 ms (50k pairs/s by the text, 33k by the table) on an A6000.",
            _gpu_speed,
        ),
        Claim(
            "hard_negatives",
            "Hard negatives train a better reranker than random ones.",
            test(_better, a=hard_negatives, b="random_negatives"),
            "question",
        ),
        Claim(
            "own_negatives",
            "The first stage's hard negatives train a better reranker than the reranker's own.",
            test(_better, a=hard_negatives, b="own_negatives"),
            "question",
        ),
        Claim(
            "fusion",
            "Adding the first stage's score improves R@1 (VEDJE's finding with little training data).",
            test(_better, a="score_fusion", b=main),
            "question",
        ),
        Claim(
            "recipe",
            "The departures from the paper's recipe are needed at this scale.",
            test(_recipe, ours=recipe, theirs="paper_recipe"),
            "question",
        ),
        Claim(
            "swaps",
            "The reranker tells scenes of the same words apart: Winoground's group score is above chance.",
            test(_above_chance, variant=main, benchmark="swaps", metric="group"),
            "question",
        ),
        Claim(
            "cross_domain",
            "Reranking improves R@1 on another kind of picture and text too (single emoji and their names).",
            test(_better, a=main, b=first_stage, each=True, benchmark=NAMES),
            "question",
        ),
        Claim(
            "learned_queries",
            "Learned queries are better than mean-pooled tokens.",
            test(_learned_queries, main=tokens_main),
            "control",
        ),
        Claim(
            "random_control",
            "The reranker is better than random scores over the same candidates.",
            test(_better, a=main, b="random_scores", each=True),
            "control",
        ),
        Claim(
            "image_control",
            "The reranker reads the image: with images exchanged, R@1 falls.",
            test(_better, a=main, b="shuffled_tokens", each=True),
            "control",
        ),
    ]


def _absent(study: StudyResults, *variants: str, benchmark: str = SCENES) -> Outcome | None:
    lacking = [variant for variant in variants if not study.has(variant, benchmark)]
    return missing(*lacking) if lacking else None


def _named(study: StudyResults, a: str, b: str, direction: str, benchmark: str = SCENES) -> tuple[str, Interval]:
    names = {"both": "mean R@1", **{d: f"{title} R@1" for d, title in DIRECTION_TITLES.items()}}
    left, right = _mean(study, a, direction, benchmark), _mean(study, b, direction, benchmark)
    return f"{names[direction]} {100 * right:.1f} → {100 * left:.1f},", study.difference(a, b, benchmark, direction)


def _mean(study: StudyResults, variant: str, direction: str, benchmark: str) -> float:
    return study.estimate(variant, benchmark, "mean_r1" if direction == "both" else f"{direction}_r1").value


def _better(study: StudyResults, *, a: str, b: str, each: bool = False, benchmark: str = SCENES) -> Outcome:
    """``a`` has a higher R@1 than ``b``: in the mean of both directions, or in each."""
    if absent := _absent(study, a, b, benchmark=benchmark):
        return absent
    directions = tuple(DIRECTION_TITLES) if each else ("both",)
    return greater(dict(_named(study, a, b, direction, benchmark) for direction in directions))


def _above_chance(study: StudyResults, *, variant: str, benchmark: str, metric: str) -> Outcome:
    """A metric's whole interval lies above its chance level."""
    found = study.estimate(variant, benchmark, metric)
    if found is None:
        return missing(f"{variant} on {benchmark}")
    name = f"{metric} score {100 * found.value:.1f} against {100 * found.chance:.1f} by chance,"
    return greater({name: (found.value - found.chance, found.low - found.chance, found.high - found.chance)})


def _from_start(study: StudyResults, outcome: Outcome, a: str, b: str) -> Outcome:
    """Add to the evidence of "``a`` against ``b``" which arm their common start favours, and whether it won."""
    start = common_start(study, a, b)
    if start is None:
        return outcome
    own = {HOLDS: a, FAILS: b}.get(outcome.verdict)
    note = f"start favours {start.favours}"
    if own is not None and start.is_of(study.settings(own)):
        note += ", and this verdict is in the favoured direction"
    elif not any(start.is_of(study.settings(variant)) for variant in (a, b)):
        note += ", neither of these"
    return Outcome(outcome.verdict, f"{outcome.evidence}; {note}")


def _learned_queries(study: StudyResults, *, main: str) -> Outcome:
    outcome = _better(study, a=main, b="mean_pooling")
    return _from_start(study, outcome, main, "mean_pooling")


def _distilled(study: StudyResults, *, student: str, undistilled: str) -> Outcome:
    """The distilled student is better, given a teacher that has something to teach."""
    teacher = (study.settings(student) or {}).get("teacher") or "local"
    if absent := _absent(study, student, undistilled, teacher):
        return absent
    knows, known = (_mean(study, variant, "both", SCENES) for variant in (teacher, undistilled))
    numbers = f"mean R@1 of the teacher {100 * knows:.1f}, of the student without distillation {100 * known:.1f}"
    if knows <= known:
        return Outcome(OPEN, f"{numbers}: a teacher that is no better has nothing to teach")
    outcome = _better(study, a=student, b=undistilled)
    return Outcome(outcome.verdict, f"{outcome.evidence}; {numbers}")


def _recipe(study: StudyResults, *, ours: str, theirs: str) -> Outcome:
    """``ours`` is better than ``theirs``; says how many pairs each has seen and what ``theirs`` shares with ours."""
    outcome = _better(study, a=ours, b=theirs)
    evidence = [outcome.evidence]
    seen = {variant: study.pairs(variant) for variant in (ours, theirs)}
    if None not in seen.values():
        evidence.append("pairs seen: " + ", ".join(f"`{variant}` {pairs:,}" for variant, pairs in seen.items()))
    if kept := shared_sizes(study, ours, theirs):
        evidence.append(f"`{theirs}` keeps the demo's {kept}")
    return Outcome(outcome.verdict, "; ".join(evidence))


def shared_sizes(study: StudyResults, a: str, b: str) -> str:
    """Return in words the number of layers, of tokens and the batch size two runs have in common."""
    left, right = study.settings(a), study.settings(b)
    if left is None or right is None:
        return ""
    names = {("joint", "layers"): "layers", ("adapter", "tokens"): "tokens", ("optimiser", "batch"): "captions a batch"}
    same = [f"{left[s][k]} {name}" for (s, k), name in names.items() if left[s][k] == right[s][k]]
    return ", ".join(same)


def _few_tokens_worse(study: StudyResults, *, main: str) -> Outcome:
    sizes = study.compressed(SCENES)
    if main not in sizes or len(sizes) < 2 or min(sizes, key=sizes.get) == main:
        return Outcome(OPEN, "needs a variant with fewer tokens than the main one")
    fewest = min(sizes, key=sizes.get)
    outcome = _better(study, a=main, b=fewest)
    outcome = Outcome(outcome.verdict, f"{sizes[fewest]} → {sizes[main]} tokens: {outcome.evidence}")
    return _from_start(study, outcome, main, fewest)


def _many_about_local(study: StudyResults) -> Outcome:
    sizes = study.compressed(SCENES)
    if absent := _absent(study, "local"):
        return absent
    if not sizes:
        return missing("compressed_*")
    most = max(sizes, key=sizes.get)
    return _from_start(study, within(dict([_named(study, most, "local", "both")]), ABOUT), most, "local")


def _sweet_spot(study: StudyResults, *, main: str) -> Outcome:
    sizes = study.compressed(SCENES)
    if main not in sizes or len(sizes) < 2 or max(sizes, key=sizes.get) == main:
        return Outcome(OPEN, "needs a variant with more tokens than the main one")
    most = max(sizes, key=sizes.get)
    outcome = within(dict([_named(study, main, most, "both")]), ABOUT)
    outcome = Outcome(outcome.verdict, f"{sizes[main]} of {sizes[most]} tokens: {outcome.evidence}")
    return _from_start(study, outcome, main, most)


def _quantised(study: StudyResults, *, main: str) -> Outcome:
    differences = {}
    for storage in ("int8", "fp8"):
        found = study.difference(main, main, f"{SCENES}_{storage}", "both", other=SCENES)
        if found is not None:
            differences[f"{storage} mean R@1"] = found
    return within(differences, LITTLE) if differences else missing(f"{SCENES}_int8", f"{SCENES}_fp8")


def _storage(study: StudyResults, *, main: str) -> Outcome:
    if absent := _absent(study, main, "local"):
        return absent
    small, large = study.kilobytes(main), study.kilobytes("local")
    if small is None or large is None:
        return Outcome(OPEN, "the local adapter's storage was not measured")
    outcome = within(dict([_named(study, main, "local", "both")]), ABOUT)
    sizes = f"{large:.1f} → {small:.1f} kB an image, {large / small:.1f}× (the paper: 442 → 49, 9.0×)"
    return _from_start(study, Outcome(outcome.verdict, f"{sizes}; {outcome.evidence}"), main, "local")


def _online(study: StudyResults, *, main: str) -> Outcome:
    rows = study.efficiency[study.efficiency["variant"] == main]
    rates = rows[rows["batch"] == rows["pairs"]].pivot_table(index="pairs", columns="source", values="pairs_per_s")
    rates = rates.reindex(columns=["store", "online"]).dropna()
    if rates.empty:
        return Outcome(OPEN, f"no timing of {label(main)} with cached and with online features for as many pairs")
    pairs = ONLINE_PAIRS if ONLINE_PAIRS in rates.index else max(rates.index)
    cached, online = rates.loc[pairs, ["store", "online"]]
    evidence = (
        f"{pairs} pairs in a call: {cached:,.0f} pairs/s with tokens read from the store against {online:,.0f} online: "
        f"{cached / online:.1f}×"
    )
    return Outcome(HOLDS if cached / online >= ONLINE_FACTOR else FAILS, evidence)


def _gpu_speed(study: StudyResults) -> Outcome:
    device = str(study.timing_environment.get("device", "no timing"))
    if not device.startswith("cuda"):
        return Outcome(OPEN, f"timed on: {device}; the claim is about one GPU model")
    return Outcome(OPEN, f"timed on {device}; see the timing table for this device's own numbers")
