"""Questions about scenes with ranked answers (:mod:`compactvl.data.scene_vqa`)."""

from typing import Literal

from pydantic import Field

from compactvl.data.scene_task import SceneTask, TaskSizes


class Settings(SceneTask):
    """Questions about scenes in the format of BabyLM's VQA: an answer and seven distractors of its type."""

    holds = frozenset({"ranked_answers"})

    kind: Literal["scene_vqa"] = Field(description="Questions with ranked answers.")
    questions: TaskSizes = Field(
        default_factory=lambda: TaskSizes(val=200, test=400),
        description="Questions, shared equally by objects and counts.",
    )
