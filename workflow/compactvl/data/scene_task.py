"""Settings that the language tasks made of a scenes data set share."""

from typing import Annotated

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.config.references import Ref
from compactvl.data.kind import Count, DataKind


class TaskSizes(Strict):
    """Number of items a held-out split."""

    val: Count = Field(100, description="Items made of validation scenes: for choices made while developing.")
    test: Count = Field(200, description="Items made of test scenes: what results are reported on.")


class SceneTask(DataKind):
    """Base of the kinds that are made of a scenes data set's validation and test scenes."""

    scenes: Annotated[str, Ref("datasets", "scenes")] = Field(
        "scenes", description="Name of the scenes data set the items are made of."
    )
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
