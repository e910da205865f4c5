"""Looking to Learn: token-wise dynamic gating in a small vision-language decoder."""

from compactvl.studies.gating.study import STUDY

__all__ = ["STUDY"]
