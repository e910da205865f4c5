"""Guest: a linear map from frozen image features to a bag of words."""

from compactvl.studies.controls import Control
from compactvl.studies.guest.settings import GuestSection, WordBag
from compactvl.studies.study import Study

STUDY = Study("guest", [WordBag, Control], GuestSection)
