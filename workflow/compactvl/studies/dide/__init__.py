"""DiDE: a dual encoder taught by a fusion encoder's cross-modal attention."""

from compactvl.studies.controls import Control
from compactvl.studies.dide.settings import Dual, DualPairs, Fusion, FusionPairs
from compactvl.studies.study import Study

STUDY = Study("dide", [FusionPairs, Fusion, DualPairs, Dual, Control])
