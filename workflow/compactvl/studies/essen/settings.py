"""Settings of ESsEN's variants. Every departure from the authors' platform is a field here; its default is the platform's value,
but for `optimiser.group_lr`.

A model has one tower or two. It is trained on captions (``pretraining``), and from there, or at once, on items with answers
(``answering``) or with boxes (``grounding``).
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.encoders import Tower
from compactvl.config.pixels import PixelSettings, SquareFit
from compactvl.config.references import Ref
from compactvl.evaluation.abilities import LOGITS
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Needs, Peers, Variant
from compactvl.training.optim import AdamW, Batch, Count, Decay, Momentum, Peak, ScheduleName, WarmUp

NAME = "compactvl.studies.essen"
Weight = Annotated[float, Field(ge=0)]
Precision = Literal["fp32", "bf16"]
Frozen = Annotated[bool, Field(description="Whether it stays as it begins, its batch statistics too.")]
Weights = Annotated[
    str | None, Ref("weights"), Field(description="Converted BERT weights it begins with; null: random ones.")
]


class Optimiser(AdamW):
    """The platform's recipe; a batch is of captions, or of items. Heads and cross-modal layers have
    5 × `lr` there: `group_lr`, which config/paper.yaml sets."""

    groups: ClassVar[tuple[str, ...]] = ("head", "fusion")

    steps: int = Field(ge=0, description="Optimiser steps; 0: a run of the weights it begins with.")
    batch: Batch = 704
    lr: Peak = 1e-4
    betas: tuple[Momentum, Momentum] = (0.9, 0.98)
    weight_decay: Decay = 0.01
    decay_norms: bool = False
    warmup: WarmUp = 0.1
    schedule: ScheduleName = "linear"


class Layers(Strict):
    """Transformer layers of one width."""

    layers: Count
    width: Count
    heads: Count = 4
    hidden: Count = Field(description="Width of the feed-forward layers.")

    @model_validator(mode="after")
    def _divides(self) -> "Layers":
        if self.width % self.heads:
            raise ValueError(f"heads {self.heads} does not divide width {self.width}")
        return self


class Text(Layers):
    """A text tower of BERT's form or, with narrower word vectors, of ELECTRA's. The defaults are ELECTRA-small's."""

    form: Literal["bert"] = "bert"
    layers: Count = 12
    width: Count = 256
    hidden: Count = 1024
    embedding: Count | None = Field(default=128, description="Width of the word vectors; null: `width`.")
    vocabulary: Count = Field(default=30522, description="Rows of the word table.")
    positions: Count = Field(default=512, description="Rows of the position table.")
    weights: Weights = None
    model: str | None = Field(
        default=None, description="Hub name or folder of save_pretrained of the BERT or ELECTRA it begins with."
    )
    revision: str | None = Field(default=None, description="Commit of the Hub repository the weights are pinned to.")
    frozen: Frozen = False
    freeze_words: bool = Field(default=False, description="Keep the word table as it begins (platform: it is trained).")

    @model_validator(mode="after")
    def _one_start(self) -> "Text":
        if self.weights is not None and self.model is not None:
            raise ValueError("weights and model are both given; leave one of them out")
        return self


class AnyText(Strict):
    """A text tower of any form that transformers has, e.g. MobileBERT."""

    form: Literal["transformers"]
    architecture: str = Field(description="transformers' name of the form (`model_type`), e.g. mobilebert.")
    config: dict[str, Any] = Field(default={}, description="Sizes in which it differs from that form's defaults.")
    model: str | None = Field(
        default=None, description="Hub name or folder of the weights it begins with; null: random ones."
    )
    revision: str | None = Field(default=None, description="Commit of the Hub repository the weights are pinned to.")
    frozen: Frozen = False
    weights: None = None


class Vision(Tower):
    """A vision tower: a timm model; its pooled vector, then its tokens."""

    frozen: Frozen = False
    precision: Precision | None = Field(
        default=None,
        description="Its arithmetic; null: the variant's. Depthwise convolutions are faster in fp32 on CPUs.",
    )


class Fusion(Layers):
    """LXMERT's cross-modal layers."""

    layers: Count = 6
    width: Count = 256
    hidden: Count = 1024


class OneTower(Strict):
    """One stack of layers over a text's word pieces and an image's patches."""

    form: Literal["one_tower"]
    text: Text = Text()
    patch: Count = Field(default=16, description="A patch's side in pixels.")


class TwoTower(Strict):
    """A text tower and a vision tower, joined by cross-modal layers."""

    form: Literal["two_tower"]
    text: Annotated[Text | AnyText, Field(discriminator="form")] = Text()
    vision: Vision
    fusion: Fusion = Fusion()


class Encoder(Variant):
    """What all kinds share."""

    counts: ClassVar[str | None] = f"{NAME}.parameters:count_parameters"

    model: Annotated[OneTower | TwoTower, Field(discriminator="form")]
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Of the text tower and of the cross-modal layers.")
    tokenizer: Annotated[str, Ref("weights")] = Field(description="Weights whose tokenizer is used.")
    longest: int = Field(default=40, ge=2, description="Most word pieces of a text, [CLS] and [SEP] included.")
    pixels: PixelSettings = Field(
        default=PixelSettings(fit=SquareFit(shape="square", image_size=224), decode_threads=8),
        description="Size and augmentation of the images.",
    )
    optimiser: Optimiser
    precision: Precision = Field(default="bf16", description="Arithmetic (bf16 is autocast).")
    start: str | None = None

    @model_validator(mode="after")
    def _sizes(self) -> "Encoder":
        fit, model = self.pixels.fit, self.model
        if not isinstance(fit, SquareFit):
            raise ValueError("pixels.fit: images of one size are needed; give shape `square`")
        if isinstance(model, OneTower) and fit.image_size % model.patch:
            raise ValueError(f"model.patch {model.patch} does not divide pixels.fit.image_size {fit.image_size}")
        if isinstance(model, TwoTower) and model.vision.image_size not in (None, fit.image_size):
            raise ValueError(
                f"model.vision.image_size {model.vision.image_size} is not pixels.fit.image_size {fit.image_size}"
            )
        if self.longest > getattr(model.text, "positions", self.longest):
            raise ValueError(f"longest {self.longest} is more than model.text.positions {model.text.positions}")
        return self

    @property
    def images_from(self) -> str:
        """Data set that holds the images."""
        return getattr(self, "images_of", None) or self.dataset

    def training_needs(self, peers: Peers) -> Needs:
        """Items or captions, images, the tokenizer and, unless it begins with a run, pretrained weights."""
        weights = {self.tokenizer}
        if self.start is None:
            weights |= {self.model.text.weights, getattr(getattr(self.model, "vision", None), "weights", None)}
        return Needs.of(datasets={self.dataset, self.images_from}, weights=weights)

    def problems(self, peers: Peers) -> Iterator[tuple[str, str]]:
        """A start of another form."""
        if self.start is None:
            return
        mine, its = (_shape(one.model.model_dump()) for one in (self, peers[self.start]))
        if differ := [key for key in mine if mine[key] != its.get(key)]:
            yield f"model.{differ[0]}", f"differs from that of start {self.start}; they must be the same"


BEGINNING = frozenset(
    {"frozen", "freeze_words", "weights", "pretrained", "checkpoint", "revision", "sha256", "precision", "image_size"}
)
"""Settings of a tower that do not change the form of its weights."""


def _shape(value: Any, key: str = "") -> Any:
    """What of a model's settings decides the form of its weights."""
    if not isinstance(value, dict):
        return value
    dropped = BEGINNING | ({"model"} if key == "text" else frozenset())
    return {name: _shape(inner, name) for name, inner in value.items() if name not in dropped}


class Objectives(Strict):
    """Weights of the losses on captions; 0 switches one off."""

    masked_words: Weight = Field(default=1.0, description="Masked language modelling of whole words.")
    matching: Weight = Field(default=1.0, description="Image-text matching; half of the captions get a wrong image.")
    mask_rate: float = Field(default=0.15, gt=0, le=1, description="Share of the words that are chosen.")
    mask: Literal["words", "nouns"] = Field(
        default="words", description="What is chosen from; `nouns` by the data set's parts of speech."
    )
    kept: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="Share of the chosen that stay as they are, and that become a random piece.",
    )


class Pretraining(Encoder):
    """A model on captions: what fine-tuned ones begin with."""

    trains: ClassVar[str] = f"{NAME}.pretrain:train_on_captions"

    kind: Literal["pretraining"]
    dataset: Annotated[str, Ref("datasets", "captioned_images")]
    start: Annotated[str | None, Ref("variants", "pretraining")] = Field(
        default=None, description="Variant whose weights it begins with; null: the towers' own."
    )
    objectives: Objectives = Objectives()


class Task(Encoder):
    """What fine-tuned kinds share."""

    opens: ClassVar[dict[str, str]] = {LOGITS: f"{NAME}.open:open_model", "latency": f"{NAME}.latency:open_answerer"}

    start: Annotated[str | None, Ref("variants", "pretraining", "answering", "grounding")] = Field(
        default=None, description="Variant whose weights it begins with; null: the towers' own."
    )
    images_of: Annotated[str | None, Ref("datasets", "images")] = Field(
        default=None, description="Data set that holds the items' images; null: `dataset` itself."
    )
    share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the training images that is used; smaller ones are parts of larger ones.",
    )
    blind: bool = Field(default=False, description="Every image is grey: a control.")
    validations: int = Field(
        default=0, ge=0, description="How often to measure on the validation split; the best weights are kept."
    )

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """Images of the benchmark's items; to time it, nothing: sizes decide."""
        if benchmark.ability == "latency":
            return Needs()
        return Needs.of(datasets={benchmark.dataset, benchmark.images or benchmark.dataset})

    def supports(self, benchmark: BenchmarkKind, peers: Peers) -> tuple[bool, str]:
        """Its own task alone."""
        if benchmark.ability == LOGITS and benchmark.dataset != self.dataset:
            return False, f"it was trained on {self.dataset}, the benchmark asks {benchmark.dataset}"
        return super().supports(benchmark, peers)


class Answering(Task):
    """A model on items with a list of answers: questions, statements about one image or two."""

    trains: ClassVar[str] = f"{NAME}.train:train_on_answers"

    kind: Literal["answering"]
    dataset: Annotated[str, Ref("datasets", "answers")] = Field(description="The task: items with answers.")
    answers: Count = Field(description="Answers of the task, by which parameters are counted.")
    image_pair: bool = Field(default=False, description="Items of two images (NLVR2).")
    questions_an_image: Count = Field(
        default=1, description="Items of one image that a batch has together, so that the image is computed once."
    )


class Grounding(Task):
    """A model on expressions that mean one of an image's boxes: each box is cut out, and scored by itself."""

    trains: ClassVar[str] = f"{NAME}.train:train_on_boxes"

    kind: Literal["grounding"]
    dataset: Annotated[str, Ref("datasets", "boxes")] = Field(description="The task: expressions and boxes.")
