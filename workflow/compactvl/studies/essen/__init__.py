"""ESsEN: compact encoders from pixels when data is scarce, one tower against two."""

from compactvl.studies.controls import Control
from compactvl.studies.essen.settings import Answering, Grounding, Pretraining
from compactvl.studies.study import Study

STUDY = Study("essen", [Pretraining, Answering, Grounding, Control])
