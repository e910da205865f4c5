"""What only EDJE's report needs: its claims and its published numbers."""

from compactvl.reporting.edje.claims import edje_claims
from compactvl.reporting.edje.published import COST, FLICKR30K

__all__ = ["COST", "FLICKR30K", "edje_claims"]
