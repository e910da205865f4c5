"""Statements about two scenes, true or false (:mod:`compactvl.data.scene_pairs`)."""

from typing import Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.data.kind import Count
from compactvl.data.scene_task import SceneTask


class Statements(Strict):
    """Number of statements a split; each makes four items."""

    train: Count = Field(2000, description="Statements about training scenes.")
    val: Count = Field(150, description="Statements about validation scenes: for choices made while developing.")
    test: Count = Field(300, description="Statements about test scenes: what results are reported on.")


class Settings(SceneTask):
    """Statements about two scenes in the format of NLVR2: each with four pairs of images, true of two of them."""

    holds = frozenset({"answers"})

    kind: Literal["scene_pairs"] = Field(description="Statements about two scenes.")
    statements: Statements = Field(default_factory=Statements, description="Statements a split, shared by the types.")
