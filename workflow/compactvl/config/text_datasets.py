"""Settings of the text data sets: the Brown corpus, its minimal pairs, and BabyLM's files as they are distributed."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from compactvl.config.base import Strict
from compactvl.config.ratios import SplitRatios

Count = Annotated[int, Field(ge=1)]
FilePath = Annotated[str, Field(min_length=1)]
Paradigm = Literal[
    "subject_verb_agreement",
    "determiner_noun_agreement",
    "noun_number_agreement",
    "pronoun_case",
    "verb_form_after_modal_or_to",
    "irregular_past_participle",
]
PARADIGMS: tuple[Paradigm, ...] = Paradigm.__args__
GET_BABYLM = "The BabyLM challenge gives it at https://osf.io/ad7qg (see https://babylm.github.io)."


class BrownSettings(Strict):
    """The Brown corpus, sentence by sentence, with its tags; split by document."""

    kind: Literal["brown"] = Field(description="The Brown corpus.")
    source: str = Field("brown", description="Name of the source of the corpus.")
    seed: int = Field(0, ge=0, description="Seed of the split.")
    ratios: SplitRatios = Field(default_factory=SplitRatios, description="Share of each category's documents a split.")


class PairCounts(Strict):
    """Minimal pairs a paradigm."""

    val: int = Field(60, ge=0, description="Validation pairs a paradigm.")
    test: Count = Field(200, description="Test pairs a paradigm.")


class BrownPairsSettings(Strict):
    """Minimal pairs in BLiMP's form, made from held-out Brown sentences by their gold tags."""

    kind: Literal["brown_pairs"] = Field(description="Minimal pairs from Brown sentences.")
    brown: str = Field("brown", description="Name of the Brown data set they are made from.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    per_paradigm: PairCounts = Field(default_factory=PairCounts, description="Pairs a paradigm.")
    paradigms: tuple[Paradigm, ...] = Field(PARADIGMS, min_length=1, description="What differs between the sentences.")
    min_count: Count = Field(
        5, description="Fewest occurrences in the training split of either of the differing words."
    )

    @model_validator(mode="after")
    def _once(self) -> "BrownPairsSettings":
        if len(set(self.paradigms)) != len(self.paradigms):
            raise ValueError("paradigms has the same name twice")
        return self


class TextLinesSettings(Strict):
    """A folder of text files, one sample a line, as BabyLM's text corpora."""

    kind: Literal["text_lines"] = Field(description="Text files, one sample a line.")
    path: FilePath = Field(description="Folder of the files.")
    pattern: str = Field("*.train", min_length=1, description="Which files of the folder.")
    ratios: SplitRatios = Field(default_factory=SplitRatios, description="Share of the lines a split.")
    seed: int = Field(42, ge=0, description="Seed of the split by line.")
    tagger: str | None = Field(
        None, description="Name or path of a spaCy pipeline that tags the words; null gives no tags."
    )
    how_to_get: str = Field(
        GET_BABYLM, min_length=1, description="Where the files come from; shown when they are missing."
    )

    @field_validator("pattern")
    @classmethod
    def _in_the_folder(cls, pattern: str) -> str:
        if "/" in pattern or "\\" in pattern:
            raise ValueError("give a file name with wildcards, without folders")
        return pattern


class _BabylmTask(Strict):
    path: FilePath = Field(description="The file, or the folder whose files are read in the order of their names.")
    vectors: str | None = Field(
        None, description=".npy file (items, 768) of image vectors in the order of the items; null gives no images."
    )
    dim: Count = Field(768, description="Length of an image vector.")
    how_to_get: str = Field(
        GET_BABYLM, min_length=1, description="Where the files come from; shown when one is missing."
    )


class BlimpSettings(_BabylmTask):
    """BLiMP or its supplement, the original jsonl files."""

    kind: Literal["blimp"] = Field(description="BLiMP's jsonl.")


class EwokSettings(_BabylmTask):
    """EWoK, the jsonl files of BabyLM."""

    kind: Literal["ewok"] = Field(description="EWoK's jsonl.")
    how_to_get: str = Field(
        "Its owners give it at https://huggingface.co/datasets/ewok-core/ewok-core-1.0 after agreeing to its terms.",
        min_length=1,
        description="Where the files come from; shown when one is missing.",
    )


class VqaSettings(_BabylmTask):
    """BabyLM's VQA: a question, its answer and seven distractors."""

    kind: Literal["vqa"] = Field(description="BabyLM's VQA, json or jsonl.")


class BabylmWinogroundSettings(_BabylmTask):
    """BabyLM's Winoground: the right and the wrong caption of one image."""

    kind: Literal["babylm_winoground"] = Field(description="BabyLM's Winoground jsonl.")


BabylmTaskSettings = BlimpSettings | EwokSettings | VqaSettings | BabylmWinogroundSettings


class BabylmCaptionsSettings(Strict):
    """Caption lists with precomputed image vectors, as BabyLM's multimodal data."""

    kind: Literal["babylm_captions"] = Field(description="BabyLM's captions with image vectors.")
    captions: tuple[FilePath, ...] = Field(min_length=1, description="JSON files, each one list of captions.")
    vectors: tuple[FilePath | tuple[FilePath, ...], ...] = Field(
        min_length=1,
        description="For each caption file its .npy file (captions, 768), or the list of files it is cut into.",
    )
    dim: Count = Field(768, description="Length of an image vector.")
    ratios: SplitRatios = Field(default_factory=SplitRatios, description="Share of the captions a split.")
    seed: int = Field(42, ge=0, description="Seed of the split by caption.")
    tagger: str | None = Field(
        None,
        description="Name or path of a spaCy pipeline that tags the words of held-out captions; null gives no tags.",
    )
    how_to_get: str = Field(
        GET_BABYLM, min_length=1, description="Where the files come from; shown when one is missing."
    )

    @model_validator(mode="after")
    def _lengths(self) -> "BabylmCaptionsSettings":
        if len(self.captions) != len(self.vectors):
            raise ValueError(
                f"captions has {len(self.captions)} files and vectors {len(self.vectors)}; give one entry of vectors "
                "for each file of captions (a list where its vectors are cut into several files)"
            )
        return self
