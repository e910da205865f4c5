"""Minimal pairs in BLiMP's form from held-out Brown sentences (:mod:`compactvl.data.brown_pairs`)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.references import Ref
from compactvl.data.kind import Count, DataKind

Paradigm = Literal[
    "subject_verb_agreement",
    "determiner_noun_agreement",
    "noun_number_agreement",
    "pronoun_case",
    "verb_form_after_modal_or_to",
    "irregular_past_participle",
]
PARADIGMS: tuple[Paradigm, ...] = Paradigm.__args__


class PairCounts(Strict):
    """Minimal pairs a paradigm."""

    val: int = Field(60, ge=0, description="Validation pairs a paradigm.")
    test: Count = Field(200, description="Test pairs a paradigm.")


class Settings(DataKind):
    """Minimal pairs in BLiMP's form, made from held-out Brown sentences by their gold tags."""

    holds = frozenset({"minimal_pairs"})

    kind: Literal["brown_pairs"] = Field(description="Minimal pairs from Brown sentences.")
    brown: Annotated[str, Ref("datasets", "brown")] = Field(
        "brown", description="Name of the Brown data set they are made from."
    )
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    per_paradigm: PairCounts = Field(default_factory=PairCounts, description="Pairs a paradigm.")
    paradigms: tuple[Paradigm, ...] = Field(PARADIGMS, min_length=1, description="What differs between the sentences.")
    min_count: Count = Field(
        5, description="Fewest occurrences in the training split of either of the differing words."
    )

    @model_validator(mode="after")
    def _once(self) -> "Settings":
        if len(set(self.paradigms)) != len(self.paradigms):
            raise ValueError("paradigms has the same name twice")
        return self
