"""Open questions about scenes with ten annotators' answers (:mod:`compactvl.data.scene_qa`)."""

from typing import Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.data.kind import Count
from compactvl.data.ratios import Fraction
from compactvl.data.scene_task import SceneTask


class Questions(Strict):
    """Number of questions a split."""

    train: Count = Field(12_000, description="Questions about training scenes.")
    val: Count = Field(600, description="Questions about validation scenes: for choices made while developing.")
    test: Count = Field(1500, description="Questions about test scenes: what results are reported on.")


class PerImage(Strict):
    """Number of questions about one image."""

    train: Count = Field(4, description="Questions about a training image.")
    val: Count = Field(2, description="Questions about a validation image.")
    test: Count = Field(3, description="Questions about a test image.")


class Mix(Strict):
    """Share of each type of question, as far as the scenes give it; 0 leaves a type out."""

    existence: Fraction = Field(0.3, description="Is there such a thing? Yes or no.")
    count: Fraction = Field(0.25, description="How many there are.")
    what: Fraction = Field(0.15, description="What kind of thing it is: an animal, food ...")
    relation_two: Fraction = Field(0.1, description="What is on a side of a thing, of two kinds of object.")
    relation_three: Fraction = Field(0.1, description="What is on a side of a thing, of three kinds of object.")
    bigger: Fraction = Field(0.1, description="Which of two things is bigger.")

    @model_validator(mode="after")
    def _sum(self) -> "Mix":
        total = sum(self.model_dump().values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares must sum to 1, not {total:g}")
        return self


class Annotators(Strict):
    """How the ten annotators of a question differ; at most four of them do."""

    differ: Fraction = Field(0.15, description="Chance that one answers otherwise where that is honest.")
    slip: Fraction = Field(0.02, description="Chance that one gives a wrong answer.")


class Settings(SceneTask):
    """Open questions about scenes in the format of VQAv2: ten annotators' answers, and a vocabulary of answers."""

    holds = frozenset({"answers"})

    kind: Literal["scene_qa"] = Field(description="Open questions about scenes.")
    questions: Questions = Field(default_factory=Questions, description="Questions a split.")
    per_image: PerImage = Field(default_factory=PerImage, description="Questions about one image.")
    mix: Mix = Field(default_factory=Mix, description="Share of each type of question.")
    annotators: Annotators = Field(default_factory=Annotators, description="How the ten annotators differ.")
    least: Count = Field(
        9, description="Training questions that an answer must be right for to be in the vocabulary (VQA's usual 9)."
    )
