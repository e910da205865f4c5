"""What only EDJE's report needs: its claims, its published numbers, and the sentences made from the results."""

from compactvl.reporting.edje.claims import edje_claims
from compactvl.reporting.edje.prose import ablation_scale, left_out, recipe_budget, swaps_findings
from compactvl.reporting.edje.published import COST, FLICKR30K
from compactvl.reporting.edje.start import start_caveat

__all__ = [
    "COST",
    "FLICKR30K",
    "ablation_scale",
    "edje_claims",
    "left_out",
    "recipe_budget",
    "start_caveat",
    "swaps_findings",
]
