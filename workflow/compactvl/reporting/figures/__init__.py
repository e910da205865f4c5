"""One figure a module. Each takes a study's results and returns a figure, or what keeps it from being drawn."""

from compactvl.reporting.figures.ablation import ablation
from compactvl.reporting.figures.attention import attention_maps
from compactvl.reporting.figures.gallery import gallery
from compactvl.reporting.figures.quantisation import quantisation
from compactvl.reporting.figures.recall_vs_pool import recall_vs_pool
from compactvl.reporting.figures.recall_vs_tokens import recall_vs_tokens
from compactvl.reporting.figures.swaps import swaps
from compactvl.reporting.figures.throughput import throughput
from compactvl.reporting.figures.training import training_curves

__all__ = [
    "ablation",
    "attention_maps",
    "gallery",
    "quantisation",
    "recall_vs_pool",
    "recall_vs_tokens",
    "swaps",
    "throughput",
    "training_curves",
]
