"""EDJE's claims, each as a test on the variants of this benchmark."""

import functools

from compactvl.evaluation.statistics import Interval
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Claim, Outcome, greater, missing, within
from compactvl.reporting.labels import label
from compactvl.reporting.study import StudyResults
from compactvl.reporting.style import DIRECTION_TITLES

SCENES = "scenes"
ABOUT = 0.02
"""Two accuracies are "about the same" within this margin of R@1 (0..1)."""
LITTLE = 0.01
"""What quantisation may cost and still cost "little"."""
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
            test(_better, a="compressed_distilled", b=undistilled),
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
            test(_better, a=recipe, b="paper_recipe"),
            "question",
        ),
        Claim(
            "learned_queries",
            "Learned queries are better than mean-pooled tokens.",
            test(_better, a=tokens_main, b="mean_pooling"),
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


def _absent(study: StudyResults, *variants: str) -> Outcome | None:
    lacking = [variant for variant in variants if not study.has(variant, SCENES)]
    return missing(*lacking) if lacking else None


def _named(study: StudyResults, a: str, b: str, direction: str) -> tuple[str, Interval]:
    names = {"both": "mean R@1", **{d: f"{title} R@1" for d, title in DIRECTION_TITLES.items()}}
    left, right = _mean(study, a, direction), _mean(study, b, direction)
    return f"{names[direction]} {100 * right:.1f} → {100 * left:.1f},", study.difference(a, b, SCENES, direction)


def _mean(study: StudyResults, variant: str, direction: str) -> float:
    return study.estimate(variant, SCENES, "mean_r1" if direction == "both" else f"{direction}_r1").value


def _better(study: StudyResults, *, a: str, b: str, each: bool = False) -> Outcome:
    """``a`` has a higher R@1 than ``b``: in the mean of both directions, or in each."""
    if absent := _absent(study, a, b):
        return absent
    directions = tuple(DIRECTION_TITLES) if each else ("both",)
    return greater(dict(_named(study, a, b, direction) for direction in directions))


def _few_tokens_worse(study: StudyResults, *, main: str) -> Outcome:
    sizes = study.compressed(SCENES)
    if main not in sizes or len(sizes) < 2 or min(sizes, key=sizes.get) == main:
        return Outcome(OPEN, "needs a variant with fewer tokens than the main one")
    fewest = min(sizes, key=sizes.get)
    outcome = _better(study, a=main, b=fewest)
    return Outcome(outcome.verdict, f"{sizes[fewest]} → {sizes[main]} tokens: {outcome.evidence}")


def _many_about_local(study: StudyResults) -> Outcome:
    sizes = study.compressed(SCENES)
    if absent := _absent(study, "local"):
        return absent
    if not sizes:
        return missing("compressed_*")
    most = max(sizes, key=sizes.get)
    return within(dict([_named(study, most, "local", "both")]), ABOUT)


def _sweet_spot(study: StudyResults, *, main: str) -> Outcome:
    sizes = study.compressed(SCENES)
    if main not in sizes or len(sizes) < 2 or max(sizes, key=sizes.get) == main:
        return Outcome(OPEN, "needs a variant with more tokens than the main one")
    most = max(sizes, key=sizes.get)
    outcome = within(dict([_named(study, main, most, "both")]), ABOUT)
    return Outcome(outcome.verdict, f"{sizes[main]} of {sizes[most]} tokens: {outcome.evidence}")


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
    return Outcome(outcome.verdict, f"{sizes}; {outcome.evidence}")


def _online(study: StudyResults, *, main: str) -> Outcome:
    rows = study.efficiency[study.efficiency["variant"] == main]
    best = rows.groupby("source")["pairs_per_s"].max() if len(rows) else {}
    cached = "store" if "store" in best else "memory"
    if "online" not in best or cached not in best:
        return Outcome(OPEN, f"no timing of {label(main)} with cached and with online features")
    factor = best[cached] / best["online"]
    evidence = f"{best[cached]:,.0f} pairs/s ({cached}) against {best['online']:,.0f} online: {factor:.1f}×"
    return Outcome(HOLDS if factor >= ONLINE_FACTOR else FAILS, evidence)


def _gpu_speed(study: StudyResults) -> Outcome:
    device = str(study.timing_environment.get("device", "no timing"))
    if not device.startswith("cuda"):
        return Outcome(OPEN, f"timed on: {device}; the claim is about one GPU model")
    return Outcome(OPEN, f"timed on {device}; see the timing table for this device's own numbers")
