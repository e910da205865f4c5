"""Captions broken off where the image is necessary, useful or irrelevant (:mod:`compactvl.data.scene_probe`)."""

from typing import Literal

from pydantic import Field

from compactvl.data.scene_task import SceneTask, TaskSizes


class Settings(SceneTask):
    """Beginnings of captions whose next word needs the image, is helped by it, or does not depend on it."""

    holds = frozenset({"ranked_answers", "probe"})

    kind: Literal["scene_probe"] = Field(description="Is the image needed for the next word?")
    items: TaskSizes = Field(
        default_factory=lambda: TaskSizes(val=60, test=300),
        description="Items a condition (necessary, useful, irrelevant), shared by its types.",
    )
