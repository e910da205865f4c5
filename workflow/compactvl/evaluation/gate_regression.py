"""What a word's gate depends on: frequency, word class and concreteness, and their interactions (open question 2)."""

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS

from compactvl.evaluation.gate_tables import image_or_item

INTERACTIONS = (("frequency", "content"), ("concreteness", "content"), ("frequency", "concreteness"))


def regression(words: pd.DataFrame) -> pd.DataFrame:
    """Regress the gate on frequency, class and concreteness by least squares, over words of captions.

    Frequency and concreteness are z-scores; the class is +1/2 for content and -1/2 for function words, so ``content``
    is the difference of the classes at mean frequency and concreteness, and the other terms are means over both
    classes. Standard errors are cluster-robust by image, with Student's t of (images - 1) degrees.

    A word counts if it has a class and, where any word has a concreteness, a concreteness. A term that the data
    cannot tell from those before it (no concreteness known, one class only) is left out.

    Returns:
        term, coef, low, high (95% interval), p, interactions as ``frequency:content``; empty with fewer than two
        images or too few words.
    """
    words = words[words["word_class"] != ""]
    if words["concreteness"].notna().any():
        words = words[words["concreteness"].notna()]
    design = _design(words)
    clusters = pd.factorize(image_or_item(words))[0]
    if len(words) <= design.shape[1] or clusters.max(initial=0) < 1:
        return pd.DataFrame(columns=["term", "coef", "low", "high", "p"])
    fit = OLS(words["gate"].to_numpy(), design.to_numpy()).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    low, high = fit.conf_int().T
    with np.errstate(invalid="ignore"):
        p = np.nan_to_num(fit.pvalues, nan=1.0)
    return pd.DataFrame({"term": design.columns, "coef": fit.params, "low": low, "high": high, "p": p})


def _design(words: pd.DataFrame) -> pd.DataFrame:
    """Return the regressors, those left out that are linear combinations of earlier ones."""
    terms = {
        "intercept": np.ones(len(words)),
        "frequency": _z(words["frequency"]),
        "content": np.where(words["word_class"] == "content", 0.5, -0.5),
        "concreteness": _z(words["concreteness"]),
    }
    terms |= {f"{a}:{b}": terms[a] * terms[b] for a, b in INTERACTIONS}
    kept: dict[str, np.ndarray] = {}
    for name, column in terms.items():
        trial = np.stack([*kept.values(), column], axis=1)
        if np.linalg.matrix_rank(trial) == trial.shape[1]:
            kept[name] = column
    return pd.DataFrame(kept)


def _z(values: pd.Series) -> np.ndarray:
    """Return z-scores; 0 where there is nothing to scale."""
    x = values.to_numpy(dtype=float)
    if not len(x) or not np.isfinite(x).all() or np.ptp(x) == 0:
        return np.zeros(len(x))
    return (x - x.mean()) / x.std()
