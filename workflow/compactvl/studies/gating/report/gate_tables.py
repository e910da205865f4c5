"""Tables of the gates as data frames of finished text."""

from collections.abc import Sequence

import pandas as pd

from compactvl.evaluation.gate_regression import regression
from compactvl.evaluation.gate_tables import COLLAPSE
from compactvl.evaluation.gate_tests import dunn_by_pos
from compactvl.evaluation.gates import CONDITIONS, MEASURES
from compactvl.reporting.claims import signed_interval
from compactvl.reporting.study import Estimate, NotRun
from compactvl.reporting.tables import MISSING, per_cent
from compactvl.studies.gating.report.results import GatingResults
from compactvl.studies.gating.report.words import (
    GATES,
    PROBE,
    first_seed,
    gate_words,
    gated,
    kruskal_p,
    p_value,
    parts_of_speech,
    pos_label,
    spreads,
)


def gates_table(study: GatingResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the last layer's gate on captions, first seed: mean, spread, content and function words, and the tests.

    The spread is shown for every layer; a layer whose gate is constant has an asterisk.
    """
    rows = []
    for variant, words in gated(study, variants).items():
        layers = spreads(study, variant)
        means, h = words.groupby("word_class")["gate"].mean(), first_seed(study, variant, "kruskal_h")
        by_layer = ", ".join(f"{spread:.4f}{'*' if spread < COLLAPSE else ''}" for spread in layers)
        rows.append(
            {
                "model": study.label(variant),
                "words": f"{len(words):,}",
                "mean": f"{words['gate'].mean():.3f}",
                "5% to 95%": "{:.3f} to {:.3f}".format(*words["gate"].quantile([0.05, 0.95])),
                "sd over words by layer": by_layer + (" (collapsed)" if layers[-1] < COLLAPSE else ""),
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
    return MISSING if found is None else signed_interval(found[:3])


def dunn_table(study: GatingResults, variant: str) -> pd.DataFrame | NotRun:
    """Return Dunn's test between the parts of speech as a triangle of p-values (Holm's correction)."""
    words = gate_words(study, variant)
    found = pd.DataFrame() if words is None else dunn_by_pos(words)
    if found.empty:
        return NotRun(f"the gates of {study.label(variant)} were not measured on two parts of speech")
    order, means = parts_of_speech(words), words.groupby("pos")["gate"].mean()
    rows = []
    for n, a in enumerate(order):
        cells = {pos_label(b): p_value(found.at[a, b], "") if n < m else "" for m, b in enumerate(order) if m}
        rows.append({"": pos_label(a), "mean gate": f"{means[a]:.3f}"} | cells)
    return pd.DataFrame(rows)


def regression_table(study: GatingResults, variant: str) -> pd.DataFrame | NotRun:
    """Return the regression of the gate on frequency, class and, where norms are configured, concreteness."""
    words = gate_words(study, variant)
    found = pd.DataFrame() if words is None else regression(words)
    if found.empty:
        return NotRun(f"the gates of {study.label(variant)} were not measured on enough words")
    return pd.DataFrame(
        {
            "term": found["term"].str.replace(":", " × ").str.replace("content", "content word"),
            "coefficient": [signed_interval((r.coef, r.low, r.high)) for r in found.itertuples()],
            "p": [p_value(p, "") for p in found["p"]],
        }
    )


def probe_table(study: GatingResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the gate, and answers right with and without the image, by how much the image is needed."""
    rows = []
    for variant, words in gated(study, variants, PROBE).items():
        for condition in CONDITIONS:
            gate, right, alone = (study.estimate(variant, GATES, f"{m}/{condition}") for m in MEASURES.values())
            if gate is None:
                continue
            rows.append(
                {
                    "model": study.label(variant),
                    "the image is": condition,
                    "items": f"{gate.n:,}",
                    "words before": f"{words.loc[words['condition'] == condition, 'position'].mean():.1f}",
                    "gate": "{:.3f} [{:.3f}, {:.3f}]".format(*gate[:3]),
                    "right": per_cent(right),
                    "right, image taken away": per_cent(alone),
                }
            )
    return pd.DataFrame(rows) if rows else NotRun("the probe was run for none of these variants")
