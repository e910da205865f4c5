"""Published numbers on the BabyLM challenge's five benchmarks; another scale and other data, never compared as equals."""

import pandas as pd

BABYLM = pd.DataFrame(
    [
        ("Flamingo (challenge baseline)", "70.9", "65.0", "52.7", "51.6", "52.3"),
        ("GIT (challenge baseline)", "65.2", "62.7", "52.4", "55.5", "54.1"),
    ],
    columns=["model", "BLiMP", "BLiMP Supplement", "EWoK", "Winoground", "VQA"],
)
"""Accuracy in per cent of the challenge's multimodal baselines; the paper's own table is not known to us."""

KRUSKAL_H, CONCRETENESS_RHO = 154.91, -0.139
"""The paper's Kruskal-Wallis statistic over parts of speech, and its Spearman correlation of gate and concreteness."""
CONTRASTIVE_COST = (0.02, 0.04)
"""What contrastive losses cost on BLiMP by the paper, as shares."""
