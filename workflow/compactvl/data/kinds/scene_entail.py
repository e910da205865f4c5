"""Hypotheses about scenes: contradiction, entailment or neutral (:mod:`compactvl.data.scene_entail`)."""

from typing import Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.data.kind import Count
from compactvl.data.scene_task import SceneTask


class Hypotheses(Strict):
    """Number of hypotheses a split; each makes three items."""

    train: Count = Field(3000, description="Hypotheses about training scenes.")
    val: Count = Field(150, description="Hypotheses about validation scenes: for choices made while developing.")
    test: Count = Field(400, description="Hypotheses about test scenes: what results are reported on.")


class Settings(SceneTask):
    """Hypotheses about scenes in the format of SNLI-VE: each with an image of every label."""

    holds = frozenset({"answers"})

    kind: Literal["scene_entail"] = Field(description="Hypotheses about scenes.")
    hypotheses: Hypotheses = Field(
        default_factory=Hypotheses, description="Hypotheses a split, half of things, half of numbers of things."
    )
