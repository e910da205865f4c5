"""EWoK's format on the captions' world (:mod:`compactvl.data.scene_ewok`)."""

from typing import Literal

from pydantic import Field

from compactvl.data.scene_task import SceneTask, TaskSizes


class Settings(SceneTask):
    """Contexts and targets in EWoK's format: spatial relations and quantities in the captions' words."""

    holds = frozenset({"ewok"})

    kind: Literal["scene_ewok"] = Field(description="Two contexts, two targets.")
    items: TaskSizes = Field(
        default_factory=lambda: TaskSizes(val=50, test=150), description="Items a domain (there are four domains)."
    )
