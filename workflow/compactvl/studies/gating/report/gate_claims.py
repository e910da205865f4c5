"""Claims about when the model looks: tests on the words' gates, each with the smallest effect that counts.

Thousands of words make any difference significant, also one in the fourth decimal of a gate that moves in 0..1. So a
claim holds only where the effect has a size too, and never where the gate has collapsed. All numbers are of the first
seed, as words are.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from compactvl.evaluation.gate_regression import regression
from compactvl.evaluation.gate_tables import COLLAPSE
from compactvl.evaluation.statistics import Interval, mean_difference
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Outcome, missing, signed, signed_interval
from compactvl.studies.gating.report.published import CONCRETENESS_RHO, KRUSKAL_H
from compactvl.studies.gating.report.results import GatingResults, share_label
from compactvl.studies.gating.report.words import (
    CAPTIONS,
    PROBE,
    SIGNIFICANT,
    contrast_change,
    first_seed,
    gate_words,
    kruskal_p,
    p_value,
    seed_note,
    spearman_p,
    spreads,
)

SMALL_DIFFERENCE = 0.2
"""Standard deviations of the gate across words: Cohen's small effect, the smallest that counts."""
SMALL_CORRELATION = 0.1
"""The same size as a correlation, r = d / √(d² + 4)."""
SMALL_EFFECT = 0.01
"""The same size as ε², r²."""
CONTRAST = "content_minus_function"
MAIN_EFFECTS = {"frequency": SMALL_CORRELATION, "content": SMALL_DIFFERENCE, "concreteness": SMALL_CORRELATION}
"""Term of the regression → smallest effect in standard deviations of the gate; z-scores count as correlations."""


def pos(study: GatingResults, *, variant: str) -> Outcome:
    """Significant, and the effect's whole interval above what is no difference worth the name."""
    words = gate_words(study, variant)
    if words is None:
        return not_measured(study, variant)
    h, effect = (first_seed(study, variant, metric) for metric in ("kruskal_h", "epsilon_squared"))
    if flat := _collapsed(study, variant):
        return Outcome(FAILS, f"{flat}; {_range(words)}")
    if h is None:
        return Outcome(OPEN, f"fewer than two parts of speech in {len(words):,} words")
    p = kruskal_p(words)
    evidence = (
        f"Kruskal-Wallis H = {h.value:,.1f}, {p_value(p)}, ε² = {effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}] "
        f"over {h.n:,} words (the paper: H = {KRUSKAL_H}, p < 0.001; asked for: p < {SIGNIFICANT}, ε² above "
        f"{SMALL_EFFECT}); {_range(words)}{seed_note(study, variant)}"
    )
    if p < SIGNIFICANT and effect.low > SMALL_EFFECT:
        return Outcome(HOLDS, evidence)
    return Outcome(FAILS if p >= SIGNIFICANT or effect.high < SMALL_EFFECT else OPEN, evidence)


def content(study: GatingResults, *, variant: str) -> Outcome:
    """Content words' gate is lower than function words'."""
    words, apart = gate_words(study, variant), first_seed(study, variant, CONTRAST)
    if words is None or apart is None:
        return not_measured(study, variant)
    means = words.groupby("word_class")["gate"].mean()
    interval = apart[:3]
    evidence = (
        f"mean gate of content words {means['content']:.3f}, of function words {means['function']:.3f}, difference "
        f"{_difference(interval, words)}; {_range(words)}{seed_note(study, variant)}"
    )
    if flat := _collapsed(study, variant):
        return Outcome(FAILS, f"{flat}; {evidence}")
    return _sized(_negative(interval), SMALL_DIFFERENCE * _spread(words), evidence)


def concreteness(study: GatingResults, *, variant: str) -> Outcome:
    """The gate's rank correlation with concreteness is negative."""
    words, rho = gate_words(study, variant), first_seed(study, variant, "spearman_concreteness")
    if words is None:
        return not_measured(study, variant)
    if flat := _collapsed(study, variant):
        return Outcome(FAILS, f"{flat}; {_range(words)}")
    if rho is None:
        return Outcome(OPEN, f"no concreteness norms are configured (the paper: ρ = {signed(CONCRETENESS_RHO)})")
    interval = rho[:3]
    evidence = (
        f"ρ = {signed_interval(interval)}, {p_value(spearman_p(words, 'concreteness'))}, {rho.n:,} words (the paper: ρ = "
        f"{signed(CONCRETENESS_RHO)}; smallest that counts: {SMALL_CORRELATION}); {_range(words)}"
        f"{seed_note(study, variant)}"
    )
    return _sized(_negative(interval), SMALL_CORRELATION, evidence)


def explained(study: GatingResults, *, variant: str) -> Outcome:
    """Holds if frequency, class and concreteness all have an effect of their own; needs a norms file."""
    words = gate_words(study, variant)
    if words is None:
        return not_measured(study, variant)
    found = regression(words)
    effects = found[found["term"].isin(list(MAIN_EFFECTS))]
    evidence = "; ".join(
        f"{r.term} {signed_interval((r.coef, r.low, r.high))}, {p_value(r.p)}" for r in effects.itertuples()
    )
    if flat := _collapsed(study, variant):
        return Outcome(FAILS, f"{flat}; {evidence}" if evidence else flat)
    if len(effects) < len(MAIN_EFFECTS):
        reason = "no concreteness norms are configured" if words["concreteness"].isna().all() else "too few words"
        return Outcome(OPEN, f"{reason}; without: {evidence}" if evidence else reason)
    smallest = effects["term"].map(MAIN_EFFECTS) * _spread(words)
    counts = ", ".join(f"{term} {size:.4f}" for term, size in zip(effects["term"], smallest, strict=True))
    evidence = f"{evidence}; smallest that counts: {counts}; {_range(words)}{seed_note(study, variant)}"
    if ((effects["p"] < SIGNIFICANT) & (effects["coef"].abs() >= smallest)).all():
        return Outcome(HOLDS, evidence)
    none = (effects[["low", "high"]].abs().max(axis=1) < smallest).any()
    return Outcome(FAILS if none else OPEN, evidence)


def probe(study: GatingResults, *, variant: str) -> Outcome:
    """The gate is lower where the image is necessary than where it is irrelevant."""
    words = gate_words(study, variant, PROBE)
    if words is None or not {"necessary", "irrelevant"} <= set(words["condition"]):
        return not_measured(study, variant, "the probe")
    captions = gate_words(study, variant)
    words = words[words["condition"].isin(["necessary", "irrelevant"])]
    all_words = words if captions is None else captions
    necessary = (words["condition"] == "necessary").to_numpy()
    found = mean_difference(words["gate"], necessary, ~necessary, words["image_id"])
    right = 100 * words.loc[necessary, ["correct", "correct_no_image"]].mean()
    evidence = (
        f"mean gate {words['gate'][necessary].mean():.3f} where necessary, {words['gate'][~necessary].mean():.3f} where "
        f"irrelevant, difference {_difference(found, all_words)}; {_range(all_words)}; answers right where necessary "
        f"{right['correct']:.1f}%, with the image taken away {right['correct_no_image']:.1f}%{seed_note(study, variant)}"
    )
    if flat := _collapsed(study, variant):
        return Outcome(FAILS, f"{flat}; {evidence}")
    return _sized(_negative(found), SMALL_DIFFERENCE * _spread(all_words), evidence)


def scale(study: GatingResults, *, shares: Mapping[float, str]) -> Outcome:
    """From the smallest to the largest share of the pool the contrast grows, |after| − |before|.

    Only where both have the same sign, and the interval of the contrast after does not hold zero.
    """
    if len(shares) < 2:
        return missing("two shares of the pool")
    (less, smallest), *_, (_, largest) = shares.items()
    first, last = (gate_words(study, variant) for variant in (smallest, largest))
    for variant, words in zip((smallest, largest), (first, last), strict=True):
        if words is None or not {"content", "function"} <= set(words["word_class"]):
            return not_measured(study, variant)
    if flat := _collapsed(study, largest):
        return Outcome(FAILS, f"{flat} ({study.label(largest)}); {_range(last)}")
    found = contrast_change(first, last)
    if found is None:
        return Outcome(OPEN, "the two were not measured on the same words")
    evidence = (
        f"content minus function words' gate {signed_interval(found.before)} ({share_label(less)} of the pool) → "
        f"{signed_interval(found.after)} (all of it), sizes apart by {_difference(found.apart, last)}; "
        f"{_range(last)}{seed_note(study, largest)}"
    )
    if flat := _collapsed(study, smallest):
        return Outcome(OPEN, f"{evidence}; {flat} ({study.label(smallest)}), so there is nothing to compare with")
    if found.after[1] <= 0 <= found.after[2]:
        return Outcome(OPEN, f"{evidence}; the contrast of {study.label(largest)} may be none at all")
    if found.before[0] * found.after[0] < 0:
        return Outcome(OPEN, f"{evidence}; the two have different signs, so neither is more of the other")
    return _sized(found.apart, SMALL_DIFFERENCE * _spread(last), evidence)


def not_collapsed(study: GatingResults, *, variant: str) -> Outcome:
    """Every layer's gate varies from word to word."""
    words, found = gate_words(study, variant), spreads(study, variant)
    if found is None:
        return not_measured(study, variant)
    layers = ", ".join(
        f"{number} {spread:.4f}{' (constant)' if spread < COLLAPSE else ''}" for number, spread in enumerate(found, 1)
    )
    evidence = (
        f"standard deviation over {len(words):,} words by layer: {layers} (constant below {COLLAPSE:g}); last "
        f"layer's gate {words['gate'].mean():.3f} on average, {_range(words)}{seed_note(study, variant)}"
    )
    return Outcome(FAILS if (found < COLLAPSE).any() else HOLDS, evidence)


def not_measured(study: GatingResults, variant: str, source: str = CAPTIONS) -> Outcome:
    """Return the outcome for gates that were not measured."""
    return missing(f"the gates of {study.label(variant)} on {source}")


def _collapsed(study: GatingResults, variant: str) -> str:
    found = spreads(study, variant)
    if found is None or found[-1] >= COLLAPSE:
        return ""
    return f"the gates have collapsed: their standard deviation over words is {found[-1]:.4f} (constant below {COLLAPSE:g})"


def _spread(words: pd.DataFrame) -> float:
    return float(words["gate"].std(ddof=0))


def _range(words: pd.DataFrame) -> str:
    low, high = np.quantile(words["gate"], [0.05, 0.95])
    return f"5% to 95% of the words' gates: {low:.3f} to {high:.3f}"


def _difference(interval: Interval, words: pd.DataFrame) -> str:
    spread = _spread(words)
    standard = f", {signed(interval[0] / spread, 2)} standard deviations over words" if spread else ""
    return f"{signed_interval(interval)}{standard} (smallest that counts: {SMALL_DIFFERENCE} or {SMALL_DIFFERENCE * spread:.4f})"


def _negative(interval: Interval) -> Interval:
    mean, low, high = interval
    return -mean, -high, -low


def _sized(interval: Interval, smallest: float, evidence: str) -> Outcome:
    """Judge a difference that the claim says is positive, by its interval and the smallest size that counts."""
    mean, low, high = interval
    if mean >= smallest and low > 0:
        return Outcome(HOLDS, evidence)
    if high < 0:
        return Outcome(FAILS, evidence)
    if high < smallest:
        return Outcome(FAILS, f"{evidence}: surely smaller than what counts")
    return Outcome(
        OPEN, f"{evidence}: the interval holds what counts and what does not, this test is too small to tell"
    )
