"""Looking to Learn: token-wise dynamic gating in a small vision-language decoder."""

from compactvl.studies.gating.settings import Decoder, NGram, Random, Tokenizer
from compactvl.studies.study import Study

STUDY = Study("gating", [Tokenizer, Decoder, NGram, Random])
