"""EDJE's published numbers, to be shown beside ours; other data, other scale, never compared as equals."""

import pandas as pd

FLICKR30K = pd.DataFrame(
    [
        ("CLIP B/16 224", "62.1 / 85.6 / 91.8", "76.8 / 90.7 / 91.7", "81.3 / 96.1 / 98.3", "91.1 / 98.2 / 98.4"),
        ("CLIP L/14 336", "67.7 / 88.8 / 93.3", "81.9 / 92.8 / 93.3", "86.7 / 98.2 / 99.0", "93.8 / 98.6 / 99.9"),
        ("SigLIP2 B/16 384", "82.1 / 95.5 / 97.9", "84.3 / 96.6 / 97.9", "93.8 / 99.3 / 99.9", "94.3 / 99.9 / 99.9"),
        ("SigLIP2 L/16 384", "82.3 / 96.0 / 98.0", "87.8 / 97.3 / 98.0", "94.8 / 99.6 / 99.9", "96.5 / 99.8 / 99.9"),
    ],
    columns=["embedding model", "T→I", "T→I + EDJE", "I→T", "I→T + EDJE"],
)
"""Flickr30k zero-shot R@1 / R@5 / R@10 (four rows of the paper's Table 1)."""

COST = pd.DataFrame(
    [
        ("BLIP ViT-L/16", "86.7", "96.7", "2,359", "139 M", "101.61"),
        ("BLIP-2 ViT-L/16", "88.6", "96.9", "2,359", "167 M", "98.64"),
        ("EDJE local", "87.8", "96.5", "442", "33 M", "4.14"),
        ("EDJE 64 tokens", "86.9", "96.4", "49", "33 M", "1.91"),
    ],
    columns=["model", "T→I R@1", "I→T R@1", "kB/image", "joint parameters", "ms for 64 pairs (A6000)"],
)
"""Flickr30k R@1, storage, parameters and latency (the paper's Table 2)."""
