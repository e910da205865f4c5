"""Cornell NLVR: statements about a drawing of three boxes, true or false (:mod:`compactvl.data.nlvr`)."""

from typing import Literal

from pydantic import Field

from compactvl.data.answered import LabelledPhotos


class Settings(LabelledPhotos):
    """NLVR as its authors distribute it: ``<split>/<split>.json`` and ``<split>/images/``, for train, dev and test."""

    kind: Literal["nlvr"] = Field(description="Cornell NLVR, json lines of identifier, directory, sentence, label.")
    permutation: int = Field(
        0, ge=0, le=5, description="Which of the six orders of an example's boxes is shown; the label is that of all."
    )
