"""NLVR2: statements about two photographs, true or false (:mod:`compactvl.data.nlvr2`)."""

from typing import Literal

from pydantic import Field

from compactvl.data.answered import LabelledPhotos


class Settings(LabelledPhotos):
    """NLVR2 as its authors distribute it: train.json, dev.json, test1.json, and two photographs a statement."""

    kind: Literal["nlvr2"] = Field(description="NLVR2, json lines of identifier, sentence, label.")
