"""EDJE's claims, each as a test on the variants of this benchmark."""

from functools import partial

from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Claim, Outcome, greater, missing
from compactvl.reporting.paired import Measure, about, above_chance, absent, better, difference, versus
from compactvl.studies.edje.report.results import NAMES, SCENES, SWAPS, EdjeResults

ABOUT = 0.02
"""Two accuracies are "about the same" within this margin of R@1 (0..1)."""
LITTLE = 0.01
"""What quantisation may cost and still cost "little"."""
ONLINE_PAIRS = 64
"""Pairs in a call at which cached and online features are compared, where that was timed."""
ONLINE_FACTOR = 20.0
"""How many times faster than computing vision features online the cached tokens must be."""
MEAN, BOTH = ("mean_r1",), ("t2i_r1", "i2t_r1")
"""R@1 in the mean of both directions, and in each."""


def edje_claims(
    *, main: str, first_stage: str, tokens_main: str, undistilled: str, hard_negatives: str, recipe: str
) -> list[Claim]:
    """Return the paper's claims, then the questions it leaves open, then our controls.

    Args:
        main: the variant that stands for EDJE with its chosen number of tokens. first_stage: the embedding model.
        tokens_main: the main number of tokens, trained as long as the other numbers.
        undistilled: ``compressed_distilled`` without distillation, trained as long.
        hard_negatives: the first stage's negatives, trained as long as the other choices.
        recipe: the demo's recipe, trained as long as ``paper_recipe``.
    """

    def wins(a: str, b: str, metrics: tuple[str, ...] = MEAN, benchmark: str = SCENES) -> partial:
        return partial(better, pairs=versus(a, b, benchmark, *metrics))

    # fmt: off
    return [
        Claim("reranking", "Reranking improves the embedding model's R@1 in both directions.",
              wins(main, first_stage, BOTH)),
        Claim("few_tokens", "With few tokens R@1 is clearly worse.", partial(_few_tokens_worse, main=tokens_main)),
        Claim("many_tokens", "With many tokens R@1 is about that of the local adapter.",
              partial(_many_about_local, main=tokens_main)),
        Claim("sweet_spot",
              "A middle number of tokens is the sweet spot: about the R@1 of the largest, for a fraction of its storage.",
              partial(_sweet_spot, main=tokens_main)),
        Claim("mlm", "Adding masked-language modelling to ITM improves R@1.", wins("itm_mlm", "itm_only")),
        Claim("recovery", "Adding text-embedding recovery improves R@1 further.", wins("itm_mlm_recovery", "itm_mlm")),
        Claim("distillation", "Distilling the local adapter into the compressed one improves R@1.",
              partial(_distilled, student="compressed_distilled", undistilled=undistilled)),
        Claim("quantisation", "Storing the tokens in 8 bits costs little.", partial(_quantised, main=main)),
        Claim("weak_miner", "Negatives mined by a weak model hurt a reranker for a strong one.",
              wins(hard_negatives, "weak_miner")),
        Claim("storage", "Compression cuts the cache to a fraction at about the R@1 of the local adapter.",
              partial(_storage, main=tokens_main)),
        Claim("online", f"Reranking from cached tokens is at least {ONLINE_FACTOR:g}× as fast as with online vision features.",
              partial(_online, main=main)),
        Claim("gpu_speed", "64 pairs take 1.91 ms (50k pairs/s by the text, 33k by the table) on an A6000.",
              _gpu_speed),
        Claim("hard_negatives", "Hard negatives train a better reranker than random ones.",
              wins(hard_negatives, "random_negatives"), "question"),
        Claim("own_negatives", "The first stage's hard negatives train a better reranker than the reranker's own.",
              wins(hard_negatives, "own_negatives"), "question"),
        Claim("fusion", "Adding the first stage's score improves R@1 (VEDJE's finding with little training data).",
              wins("score_fusion", main), "question"),
        Claim("recipe", "The departures from the paper's recipe are needed at this scale.",
              partial(_recipe, ours=recipe, theirs="paper_recipe"), "question"),
        Claim("swaps", "The reranker tells scenes of the same words apart: Winoground's group score is above chance.",
              partial(above_chance, measure=Measure(main, SWAPS, "group")), "question"),
        Claim("twins", "Twins and exchanged captions among the negatives teach it that: without them its group score is lower.",
              wins(main, "no_twins", ("group",), SWAPS), "question"),
        Claim("twins_cost", "They cost little R@1.", partial(about, a=_r1(main), b=_r1("no_twins"), margin=ABOUT), "question"),
        Claim("cross_domain", "Reranking improves R@1 on another kind of picture and text too (single emoji and their names).",
              wins(main, first_stage, BOTH, NAMES), "question"),
        Claim("learned_queries", "Learned queries are better than mean-pooled tokens.",
              wins(tokens_main, "mean_pooling"), "control"),
        Claim("random_control", "The reranker is better than random scores over the same candidates.",
              wins(main, "random_scores", BOTH), "control"),
        Claim("image_control", "The reranker reads the image: with images exchanged, R@1 falls.",
              wins(main, "shuffled_tokens", BOTH), "control"),
    ]
    # fmt: on


def _r1(variant: str, benchmark: str = SCENES) -> Measure:
    return Measure(variant, benchmark, *MEAN)


def _few_tokens_worse(study: EdjeResults, *, main: str) -> Outcome:
    arms = study.token_arms(main)
    if len(arms) < 2 or (fewest := next(iter(arms))) == main:
        return Outcome(OPEN, "needs a variant with fewer tokens than the main one")
    outcome = better(study, [(_r1(main), _r1(fewest))])
    return Outcome(outcome.verdict, f"{arms[fewest]} → {arms[main]} tokens: {outcome.evidence}")


def _many_about_local(study: EdjeResults, *, main: str) -> Outcome:
    arms = study.token_arms(main)
    return about(study, _r1(list(arms)[-1]), _r1("local"), ABOUT) if arms else missing(main)


def _sweet_spot(study: EdjeResults, *, main: str) -> Outcome:
    arms = study.token_arms(main)
    if len(arms) < 2 or (most := list(arms)[-1]) == main:
        return Outcome(OPEN, "needs a variant with more tokens than the main one")
    outcome = about(study, _r1(main), _r1(most), ABOUT)
    return Outcome(outcome.verdict, f"{arms[main]} of {arms[most]} tokens: {outcome.evidence}")


def _distilled(study: EdjeResults, *, student: str, undistilled: str) -> Outcome:
    """The distilled student is better, given a teacher that has something to teach."""
    teacher = (study.settings(student) or {}).get("teacher") or "local"
    if lacking := absent(study, *map(_r1, (student, undistilled, teacher))):
        return lacking
    knows, known = (study.estimate(*_r1(variant)).value for variant in (teacher, undistilled))
    numbers = f"mean R@1 of the teacher {100 * knows:.1f}, of the student without distillation {100 * known:.1f}"
    if knows <= known:
        return Outcome(OPEN, f"{numbers}: a teacher that is no better has nothing to teach")
    return better(study, [(_r1(student), _r1(undistilled))]).also(numbers)


def _recipe(study: EdjeResults, *, ours: str, theirs: str) -> Outcome:
    """``ours`` is better than ``theirs``; the evidence says how many pairs each has seen."""
    seen = {variant: study.manifest(variant).get("seen") for variant in (ours, theirs)}
    pairs = ", ".join(f"`{variant}` {number:,}" for variant, number in seen.items() if number is not None)
    return better(study, [(_r1(ours), _r1(theirs))]).also(f"pairs seen: {pairs}" if pairs else "")


def _quantised(study: EdjeResults, *, main: str) -> Outcome:
    stored = {storage: _r1(main, f"{SCENES}_{storage}") for storage in ("int8", "fp8")}
    costs = {f"{name} mean R@1": difference(study, (measure, _r1(main))) for name, measure in stored.items()}
    costs = {name: found for name, found in costs.items() if found is not None}
    return greater(costs, LITTLE) if costs else missing(*(f"{m.variant} on {m.benchmark}" for m in stored.values()))


def _storage(study: EdjeResults, *, main: str) -> Outcome:
    small, large = study.kilobytes(main), study.kilobytes("local")
    outcome = about(study, _r1(main), _r1("local"), ABOUT)
    if small is None or large is None:
        return outcome
    sizes = f"{large:.1f} → {small:.1f} kB an image, {large / small:.1f}× (the paper: 442 → 49, 9.0×)"
    return Outcome(outcome.verdict, f"{sizes}; {outcome.evidence}")


def _online(study: EdjeResults, *, main: str) -> Outcome:
    rows = study.timings[study.timings["variant"] == main]
    rates = rows[rows["batch"] == rows["pairs"]].pivot_table(index="pairs", columns="source", values="pairs_per_s")
    rates = rates.reindex(columns=["store", "online"]).dropna()
    if rates.empty:
        return Outcome(OPEN, f"no timing of {study.label(main)} with cached and with online features for as many pairs")
    pairs = ONLINE_PAIRS if ONLINE_PAIRS in rates.index else max(rates.index)
    cached, online = rates.loc[pairs, ["store", "online"]]
    evidence = (
        f"{pairs} pairs in a call: {cached:,.0f} pairs/s with tokens read from the store against {online:,.0f} online: "
        f"{cached / online:.1f}×"
    )
    return Outcome(HOLDS if cached / online >= ONLINE_FACTOR else FAILS, evidence)


def _gpu_speed(study: EdjeResults) -> Outcome:
    return Outcome(
        OPEN, f"timed on: {study.timing_environment.get('device', 'nothing')}; the claim is about one GPU model"
    )
