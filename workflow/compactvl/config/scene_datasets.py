"""Settings of the language tasks that are made of a scenes data set's validation and test scenes."""

from typing import Annotated, Literal

from pydantic import Field

from compactvl.config.base import Strict

Count = Annotated[int, Field(ge=1)]


class TaskSizes(Strict):
    """Number of items a held-out split."""

    val: Count = Field(100, description="Items made of validation scenes: for choices made while developing.")
    test: Count = Field(200, description="Items made of test scenes: what results are reported on.")


class SceneEwokSettings(Strict):
    """Contexts and targets in EWoK's format: spatial relations and quantities in the captions' words."""

    kind: Literal["scene_ewok"] = Field(description="Two contexts, two targets.")
    scenes: str = Field("scenes", description="Name of the scenes data set the items are made of.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    items: TaskSizes = Field(
        default_factory=lambda: TaskSizes(val=50, test=150), description="Items a domain (there are four domains)."
    )


class SceneVqaSettings(Strict):
    """Questions about scenes in the format of BabyLM's VQA: an answer and seven distractors of its type."""

    kind: Literal["scene_vqa"] = Field(description="Questions with ranked answers.")
    scenes: str = Field("scenes", description="Name of the scenes data set the questions are about.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    questions: TaskSizes = Field(
        default_factory=lambda: TaskSizes(val=200, test=400),
        description="Questions, shared equally by objects and counts.",
    )


class SceneProbeSettings(Strict):
    """Beginnings of captions whose next word needs the image, is helped by it, or does not depend on it."""

    kind: Literal["scene_probe"] = Field(description="Is the image needed for the next word?")
    scenes: str = Field("scenes", description="Name of the scenes data set whose captions are continued.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    items: TaskSizes = Field(
        default_factory=lambda: TaskSizes(val=60, test=300),
        description="Items a condition (necessary, useful, irrelevant), shared by its types.",
    )
