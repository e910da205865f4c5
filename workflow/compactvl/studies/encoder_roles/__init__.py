"""Encoder roles: which vision encoder of a pool is the anchor, which the complement, and which only adds cost."""

from compactvl.studies.encoder_roles.section import Section
from compactvl.studies.encoder_roles.settings import Subset
from compactvl.studies.study import Study

STUDY = Study("encoder_roles", [Subset], Section, together=True)
