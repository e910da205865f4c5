"""Expressions that mean one object of a scene (:mod:`compactvl.data.scene_refer`)."""

from typing import Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.data.kind import Count
from compactvl.data.scene_task import SceneTask


class Expressions(Strict):
    """Number of expressions a split, a third of each type."""

    train: Count = Field(3000, description="Expressions about training scenes.")
    val: Count = Field(150, description="Expressions about validation scenes: for choices made while developing.")
    test: Count = Field(600, description="Expressions about test scenes: what results are reported on.")


class Settings(SceneTask):
    """Expressions that mean one of a scene's objects, in the form of RefCOCO: all objects' boxes are candidates."""

    holds = frozenset({"boxes"})

    kind: Literal["scene_refer"] = Field(description="Expressions that mean one object of a scene.")
    expressions: Expressions = Field(default_factory=Expressions, description="Expressions a split.")
