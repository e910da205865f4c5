"""What only the gating report needs: claims, tables, figures, published numbers, sentences made from the results."""

from compactvl.reporting.gating import figures, tables
from compactvl.reporting.gating.claims import gating_claims
from compactvl.reporting.gating.prose import collapse_note, does_not_hold, scale_note, small_groups_note, start_note
from compactvl.reporting.gating.published import BABYLM
from compactvl.reporting.gating.scales import scale_arms

__all__ = [
    "BABYLM",
    "collapse_note",
    "does_not_hold",
    "figures",
    "gating_claims",
    "scale_arms",
    "scale_note",
    "small_groups_note",
    "start_note",
    "tables",
]
