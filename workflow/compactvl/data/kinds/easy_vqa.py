"""easy-VQA as published: questions about one coloured shape (:mod:`compactvl.data.easy_vqa`)."""

from typing import Annotated, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.data.kind import DataKind


class Settings(DataKind):
    """easy-VQA as published: small pictures of one coloured shape, and questions about it with 13 answers."""

    holds = frozenset({"images", "answers"})

    kind: Literal["easy_vqa"] = Field(description="easy-VQA, from its PyPI package.")
    source: Annotated[str, Ref("sources")] = Field("easy_vqa", description="Name of the source of the package.")
    seed: int = Field(0, ge=0, description="Seed of which training images are for validation.")
    val: float = Field(
        0.1, gt=0.0, lt=1.0, description="Share of the published training images that are for validation."
    )
    yes_no: bool = Field(True, description="Whether questions that are answered by yes or no are in it.")
    max_images: int | None = Field(
        None, ge=20, description="Most images of the published training and of the published test part; null: all."
    )
