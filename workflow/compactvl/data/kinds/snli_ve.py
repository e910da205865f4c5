"""SNLI-VE: does a photograph entail a hypothesis? (:mod:`compactvl.data.snli_ve`)"""

from typing import Literal

from pydantic import Field

from compactvl.data.answered import LabelledPhotos


class Settings(LabelledPhotos):
    """SNLI-VE as its authors distribute it: a jsonl file a split, about the photographs of Flickr30k."""

    kind: Literal["snli_ve"] = Field(description="SNLI-VE, jsonl of Flickr30K_ID, sentence2, gold_label.")
