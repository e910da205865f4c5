"""Bar charts, and questions about them (:mod:`compactvl.data.bar_charts`)."""

from typing import Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.data.kind import Count, DataKind


class Charts(Strict):
    """Number of charts a split; each is asked about twice."""

    train: Count = Field(400, description="Training charts.")
    val: Count = Field(60, description="Validation charts: for choices made while developing.")
    test: Count = Field(200, description="Test charts: what results are reported on.")


class Settings(DataKind):
    """Bar charts: the colour of the tallest bar, and how tall it is."""

    holds = frozenset({"images", "answers"})

    kind: Literal["bar_charts"] = Field(description="Bar charts.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    charts: Charts = Field(default_factory=Charts, description="Charts a split.")
    highest: int = Field(16, ge=4, le=30, description="The axis goes from 0 to this value.")
    image_size: int = Field(112, ge=56, le=1024, description="Height and width of an image in pixels.")
