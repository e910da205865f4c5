"""EDJE: Efficient Discriminative Joint Encoders (arXiv 2510.06820). README.md maps its equations to the code."""

from compactvl.studies.edje.study import STUDY

__all__ = ["STUDY"]
