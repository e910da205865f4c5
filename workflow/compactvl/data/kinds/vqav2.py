"""VQAv2: questions about COCO's photographs, with ten annotators' answers (:mod:`compactvl.data.vqav2`)."""

from typing import Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.data.answered import AnsweredPhotos
from compactvl.data.kind import Count, FilePath


class PartFiles(Strict):
    """One file for each of the two parts whose answers are public."""

    train2014: FilePath = Field(description="File of the questions about train2014.")
    val2014: FilePath = Field(description="File of the questions about val2014.")


class HeldOut(Strict):
    """Number of photographs of val2014 whose questions are not trained on: the last ones by COCO's number."""

    val: Count = Field(1000, description="The last ones: the split val, which selects the model. 1,000 in the release.")
    test: int = Field(
        5000,
        ge=0,
        description="Those before them: the split test. The answers of VQAv2's own test questions are not public; the release "
        "trains on these too, and has its server score test-dev. 0: as the release, without a split test.",
    )


class Settings(AnsweredPhotos):
    """VQAv2 as its authors distribute it: questions and annotations of train2014 and val2014, split as DiDE's release."""

    kind: Literal["vqav2"] = Field(description="VQAv2, questions and annotations in json.")
    questions: PartFiles = Field(description="v2_OpenEnded_mscoco_<part>_questions.json of each part.")
    annotations: PartFiles = Field(description="v2_mscoco_<part>_annotations.json of each part.")
    heldout: HeldOut = Field(default_factory=HeldOut, description="Photographs of val2014 that are not trained on.")
    min_count: Count = Field(
        9,
        description="How many questions of both parts an answer must be the majority of to be in the list: 9 gives 3,129.",
    )

    def own_files(self) -> list[tuple[str, str]]:
        """Return questions and annotations of both parts."""
        fields = (("questions", self.questions), ("annotations", self.annotations))
        return [(f"{field}.{part}", path) for field, files in fields for part, path in files]
