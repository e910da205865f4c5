"""Published numbers of ESsEN's platform, to be shown beside ours; other data, other scale, never compared as equals.

The paper's own tables cannot be reached; these are exploratory runs in the authors' released repository: DeiT-tiny and
ELECTRA-small, fusion 256 × 6, batch 704.
"""

import pandas as pd

STARTS = pd.DataFrame(
    [
        ("both towers pretrained", "50k", "70.60 / 70.14"),
        ("vision tower frozen", "50k", "70.34 / 69.71"),
        ("both towers random", "50k", "63.48 / 63.17"),
        ("only text pretrained", "50k", "54.42 / 54.93"),
        ("only vision pretrained", "50k", "52.52 / 53.02"),
        ("both towers pretrained", "100k", "74.05 / 74.55"),
    ],
    columns=["start", "steps of pre-training", "SNLI-VE dev / test"],
)
"""Accuracy in per cent."""

MARGIN = 0.02
"""0..1: what "at equal quality" and "costs little" mean here."""
