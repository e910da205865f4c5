"""Settings of a model of several encoders. The paper names neither its encoders nor its model: all of it is settings."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.overlay import in_order
from compactvl.config.references import Ref
from compactvl.evaluation.abilities import MASKING, SUITE
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Needs, Peers, Variant
from compactvl.training.optim import AdamW, Batch, Count, Decay, Peak, ScheduleName, WarmUp

Share = Annotated[float, Field(ge=0, le=1)]
NAME = "compactvl.studies.encoder_roles"


class Optimiser(AdamW):
    """A batch is of images, with their questions; `sets` says of which data sets."""

    steps: int = Field(ge=0, description="Optimiser steps.")
    batch: Batch = 39
    lr: Peak = 2e-3
    weight_decay: Decay = 0.05
    warmup: WarmUp = 0.08
    schedule: ScheduleName = "cosine"


class TaskSet(Strict):
    """A data set of questions that is trained on."""

    images: Annotated[str | None, Ref("datasets", "images")] = Field(
        default=None, description="Data set that holds its images; null: itself."
    )
    batch: Count = Field(description="Images of it in a batch.")
    answers: Count = Field(description="Answers it has, by which parameters are counted.")


class Whitening(Strict):
    """What is done to an encoder's tokens, and to questions' vectors, before anything is trained on them."""

    components: Count | None = Field(
        default=128,
        description="Principal directions of the training images' tokens that are kept; null: all, unturned.",
    )
    strength: Share = Field(
        default=0.5,
        description="0 leaves the directions' sizes as they are (all at once scaled to 1), 1 makes them equal.",
    )


class Attention(Strict):
    """A reader of one block: the question's vector looks at the image's tokens."""

    kind: Literal["attention"]
    heads: Count = 8
    hidden: Count = Field(default=256, description="Width of the feed-forward layer.")


class LanguageModel(Strict):
    """A reader that is a language model: it reads the image's tokens and the question's words."""

    kind: Literal["language_model"]
    weights: Annotated[str, Ref("weights")] = Field(description="Pretrained BERT weights by name.")
    layers: Count = Field(description="Its first so many layers.")
    longest: int = Field(default=24, ge=2, description="Most word pieces of a question.")
    dropout: float = Field(default=0.0, ge=0, lt=1)


Reader = Annotated[Attention | LanguageModel, Field(discriminator="kind")]


class Subset(Variant):
    """A model that sees through some encoders of the pool, or through none."""

    trains: ClassVar[str] = f"{NAME}.train:train_subset"
    opens: ClassVar[dict[str, str]] = {SUITE: f"{NAME}.open:open_suite", MASKING: f"{NAME}.open:open_suite"}
    counts: ClassVar[str | None] = f"{NAME}.model:count_parameters"

    kind: Literal["subset"]
    encoders: Annotated[dict[Annotated[str, Ref("encoders")], Count], BeforeValidator(in_order)] = Field(
        description="Encoder → width of its tokens. None: the model is blind."
    )
    sets: Annotated[dict[Annotated[str, Ref("datasets", "answers")], TaskSet], BeforeValidator(in_order)] = Field(
        min_length=1, description="Data sets of questions it is trained on; null takes one out."
    )
    text_encoder: Annotated[str | None, Ref("text_encoders")] = Field(
        default=None, description="Whose vectors questions are, for a reader of kind `attention`."
    )
    text_width: Count = Field(default=384, description="Width of these vectors.")
    text_whitening: Whitening = Whitening(components=64, strength=1.0)
    grid: Count = Field(default=4, description="Every encoder's tokens are averaged to so many rows and columns.")
    whitening: Whitening = Whitening()
    channels: Count = Field(default=64, description="What each encoder's adapter gives, for each token.")
    fusion: Literal["concatenation", "aggregator"] = Field(
        default="concatenation",
        description="How encoders are joined: their channels side by side, or learned queries that attend to them, place by place.",
    )
    channel_dropout: float = Field(
        default=0.05, ge=0, lt=1, description="Share of the joined channels that are left out."
    )
    hidden: Count = Field(default=256, description="Width inside the projector.")
    width: Count = Field(default=128, description="Width of the reader.")
    parameters: Count | None = Field(
        default=None,
        description="Parameters the whole model is to have: the projector's inner width is chosen for it. So subsets of every "
        "size are compared at one size of model.",
    )
    reader: Reader = Attention(kind="attention")
    questions_an_image: Count = Field(default=5, description="Most questions of one image in a batch.")
    optimiser: Optimiser
    precision: Literal["fp32", "bf16"] = Field(default="fp32", description="Arithmetic (bf16 is autocast).")
    rank_images: int = Field(
        default=200,
        ge=0,
        description="Validation images that effective ranks are measured on, before training and after.",
    )

    @model_validator(mode="after")
    def _fits(self) -> "Subset":
        given = sum(one.batch for one in self.sets.values())
        if given != self.optimiser.batch:
            raise ValueError(
                f"the sets' batches sum to {given}, optimiser.batch is {self.optimiser.batch}; make them equal"
            )
        if isinstance(self.reader, Attention) != (self.text_encoder is not None):
            raise ValueError(
                "`text_encoder` goes with a reader of kind attention: give it, or null with a language model"
            )
        if isinstance(self.reader, Attention) and self.width % self.reader.heads:
            raise ValueError(f"reader.heads {self.reader.heads} does not divide width {self.width}")
        return self

    def images_of(self, dataset: str) -> str:
        """The data set that holds a set's images."""
        return self.sets[dataset].images or dataset

    def training_needs(self, peers: Peers) -> Needs:
        """Questions, their vectors, the tokens of their images."""
        return self._reads(self.sets)

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """The same of the suite's data sets."""
        return self._reads(task.dataset for task in benchmark.tasks.values())

    def supports(self, benchmark: BenchmarkKind, peers: Peers) -> tuple[bool, str]:
        """A suite of data sets it was trained on; masking only with two encoders or more."""
        if benchmark.ability in (SUITE, MASKING):
            strange = sorted({task.dataset for task in benchmark.tasks.values()} - self.sets.keys())
            if strange:
                return False, f"it was not trained on {strange[0]}"
            if benchmark.ability == MASKING and len(self.encoders) < 2:
                return False, "it has fewer than two encoders to mask"
        return super().supports(benchmark, peers)

    def _reads(self, sets: Iterator[str]) -> Needs:
        sets = list(sets)
        images = {self.images_of(name) for name in sets}
        tokens = {(encoder, name) for encoder in self.encoders for name in images}
        texts, weights = {(self.text_encoder, name) for name in sets}, set()
        if isinstance(self.reader, LanguageModel):
            texts, weights = set(), {self.reader.weights}
        return Needs.of(datasets={*sets, *images}, tokens=tokens, texts=texts, weights=weights)
