"""DiDE's published numbers, to be shown beside ours; other data, other scale, never compared as equals."""

import pandas as pd

TASKS = pd.DataFrame(
    [
        ("ViLT (fusion encoder)", "71.26", "75.70 / 76.13", "not published"),
        ("DiDE (dual encoder)", "69.2", "– / 75.6", "76.3"),
    ],
    columns=["model", "VQAv2 test-dev", "NLVR2 dev / test-P", "SNLI-VE test"],
)
"""Score and accuracy in per cent (EMNLP 2022)."""

RETRIEVAL = pd.DataFrame(
    [("DiDE (dual encoder)", "82.2", "68.2")], columns=["model", "Flickr30k image → text R@1", "text → image R@1"]
)

LOSS, SPEED = 0.01, 4.0
"""What the dual encoder is said to lose (0..1), about, and how many times as fast it is said to answer."""
