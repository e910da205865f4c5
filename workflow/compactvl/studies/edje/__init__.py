"""EDJE: Efficient Discriminative Joint Encoders (arXiv 2510.06820). README.md maps its equations to the code."""

from compactvl.studies.controls import Control, ScoreFusion
from compactvl.studies.edje.settings import Embedding, JointEncoder, LateInteraction, Pretrained
from compactvl.studies.study import Study

STUDY = Study("edje", [Embedding, Pretrained, LateInteraction, JointEncoder, ScoreFusion, Control])
