"""Settings of DiDE's variants. Every departure from the paper's recipe is a field here whose default is the paper's value,
but for bfloat16 in place of fp16.

A fusion encoder (the teacher) and a dual encoder (the student) are each trained on pairs of image and caption
(``fusion_pairs``, ``dual_pairs``: pre-training) and on items with answers (``fusion``, ``dual``: fine-tuning).
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.pixels import AspectFit, Augmentation, PixelSettings, RandAugment
from compactvl.config.references import Ref
from compactvl.evaluation.abilities import LOGITS, PAIRS
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Needs, Peers, Variant
from compactvl.training.optim import AdamW, Batch, Count, Decay, Momentum, Peak, ScheduleName, WarmUp

COUNTS = "compactvl.studies.dide.parameters:count_parameters"
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Optimiser(AdamW):
    """The released recipe. A batch is of items, or of pairs of image and caption."""

    groups: ClassVar[tuple[str, ...]] = ("head", "fusion", "image")

    steps: int = Field(ge=0, description="Optimiser steps; 0: a run of the weights it begins with.")
    batch: Batch = 256
    lr: Peak = 1e-4
    betas: tuple[Momentum, Momentum] = (0.9, 0.98)
    weight_decay: Decay = 0.01
    decay_norms: bool = Field(
        default=False, description="Whether biases and the blocks' norms decay; those of heads and fusion always do."
    )
    warmup: WarmUp = 0.1
    schedule: ScheduleName = "linear"


class Trunk(Strict):
    """The transformer of a fusion encoder, and of each tower of a dual encoder."""

    blocks: Literal["vilt", "bert"] = Field(
        default="vilt",
        description="`vilt`: pre-norm, ViLT's weights by `model`; `bert`: post-norm, BERT's by `weights`.",
    )
    model: str | None = Field(
        default=None, description="With `vilt`: Hub name or folder of save_pretrained of the weights; null: fresh ones."
    )
    revision: str | None = Field(default=None, description="Commit of the Hub repository the weights are pinned to.")
    weights: Annotated[str | None, Ref("weights")] = Field(
        default=None, description="With `bert`: pretrained BERT weights by name; with `vilt`: whose tokenizer is used."
    )
    layers: Count = Field(default=12, description="The first so many layers.")
    width: Count = 768
    heads: Count = 12
    hidden: Count = Field(default=3072, description="Width of the feed-forward layers.")
    vocabulary: Count = Field(default=30522, description="Rows of the word table.")
    positions: Count = Field(default=40, description="Rows of the text's position table.")
    longest: int = Field(default=40, ge=2, description="Most word pieces of a text, [CLS] and [SEP] included.")
    dropout: float = Field(default=0.1, ge=0, lt=1)
    pooling: Literal["cls", "mean"] = Field(
        default="cls",
        description="What the pooler reads: the first place (paper), or the mean over all that are there.",
    )
    freeze_words: bool = Field(default=False, description="Keep the word table as it is (paper: it is trained).")
    cls_from_mask: bool = Field(
        default=False,
        description="Begin with the vector of [MASK] and of a later position for [CLS]: MiniLM's own is constant (not in the paper).",
    )

    @model_validator(mode="after")
    def _fits(self) -> "Trunk":
        if self.weights is None:
            raise ValueError("`weights` is missing: the tokenizer comes from there")
        if self.blocks == "bert" and self.model is not None:
            raise ValueError("`model` goes with blocks `vilt`; BERT's weights are named by `weights`")
        if self.width % self.heads:
            raise ValueError(f"heads {self.heads} does not divide width {self.width}")
        if self.longest > self.positions:
            raise ValueError(f"longest {self.longest} is more than positions {self.positions}")
        return self


class TokenImages(Strict):
    """An encoder's cached tokens (the demo's)."""

    input: Literal["tokens"]
    encoder: Annotated[str, Ref("encoders")]
    side: Count = Field(description="Rows, and columns, of the encoder's grid of tokens.")
    width: Count = Field(description="Numbers a token.")
    merge: Count = Field(default=1, description="So many neighbours a side become one token.")

    @model_validator(mode="after")
    def _merges(self) -> "TokenImages":
        if self.side % self.merge:
            raise ValueError(f"merge {self.merge} does not divide side {self.side}")
        return self


class PixelImages(Strict):
    """Patches of pixels (ViLT's, as published)."""

    input: Literal["pixels"]
    patch: Count = Field(default=32, description="A patch's side in pixels.")
    grid: Count = Field(default=12, description="Rows, and columns, of the table of positions, which is interpolated.")
    pixels: PixelSettings = Field(
        default=PixelSettings(
            fit=AspectFit(shape="aspect", longer=639), augment=Augmentation(operations=RandAugment()), decode_threads=8
        ),
        description="Size and augmentation.",
    )


Images = Annotated[TokenImages | PixelImages, Field(discriminator="input")]


class Attention(Strict):
    """Cross-modal attention distillation."""

    weight: Weight = Field(default=0.0, description="Its weight; 0 switches it off.")
    layers: tuple[int, ...] = Field(
        default=(-1,), min_length=1, description="Layers whose attention is distilled; their mean counts. -1: the last."
    )
    queries: Literal["real", "all"] = Field(default="real", description="`all`, as released: padded queries count too.")


class Encoder(Variant):
    """What all kinds share."""

    counts: ClassVar[str | None] = COUNTS

    trunk: Trunk
    images: Images
    optimiser: Optimiser
    precision: Literal["fp32", "bf16"] = Field(default="bf16", description="Arithmetic (bf16 is autocast).")
    start: str | None = None

    def image_needs(self, dataset: str, images_of: str) -> Needs:
        """What reading items of a data set and their images reads."""
        datasets = {dataset, images_of}
        if isinstance(self.images, TokenImages):
            return Needs.of(datasets=datasets, tokens={(self.images.encoder, images_of)})
        return Needs.of(datasets=datasets)

    def problems(self, peers: Peers) -> Iterator[tuple[str, str]]:
        """What does not fit the variants it begins with or is taught by."""
        for field in ("start", "teacher"):
            name = getattr(self, field, None)
            for part in ("trunk", "images") if name is not None else ():
                mine, its = ({**getattr(one, part).model_dump(), **FREE} for one in (self, peers[name]))
                differ = [key for key in mine if mine[key] != its.get(key)]
                if differ:
                    yield f"{part}.{differ[0]}", f"differs from that of {field} {name}; they must be the same"


FREE = {"dropout": None, "pooling": None, "freeze_words": None, "pixels": None, "model": None, "revision": None}
"""Settings of trunk and images in which a variant may differ from the one it begins with."""


class PairObjectives(Strict):
    """Weights of the losses on pairs; 0 switches a loss off. The paper's pre-training is not published in detail."""

    alignment: Weight = Field(
        default=0.0, description="Projected image tokens against frozen word vectors, late interaction (a warm-up)."
    )
    matching: Weight = Field(default=1.0, description="Image-text matching.")
    masked_words: Weight = Field(default=1.0, description="Masked language modelling.")
    mask_rate: Share = Field(default=0.15, description="Share of the words (of the nouns) that are masked.")
    mask: Literal["words", "nouns"] = Field(
        default="words", description="What is masked; `nouns` by the data set's parts of speech."
    )


class FusionPairs(Encoder):
    """A fusion encoder on captions: what teacher and student begin with."""

    trains: ClassVar[str] = "compactvl.studies.dide.train_pairs:train_fusion_pairs"

    kind: Literal["fusion_pairs"]
    dataset: Annotated[str, Ref("datasets", "captioned_images")]
    start: Annotated[str | None, Ref("variants", "fusion_pairs")] = Field(
        default=None, description="Variant whose weights it begins with; null: the trunk's pretrained ones."
    )
    objectives: PairObjectives = PairObjectives()

    def training_needs(self, peers: Peers) -> Needs:
        """Images, captions, pretrained weights."""
        return self.image_needs(self.dataset, self.dataset) | Needs.of(weights={self.trunk.weights})


class DualObjectives(PairObjectives):
    """The same of a dual encoder; matching is among all pairs of a batch."""

    contrastive: Weight = Field(
        default=0.0, description="Contrastive loss of the pooled vectors: with it, the run can retrieve."
    )


class DualPairs(Encoder):
    """A dual encoder on captions: pre-training by attention distillation, and retrieval."""

    trains: ClassVar[str] = "compactvl.studies.dide.train_pairs:train_dual_pairs"
    opens: ClassVar[dict[str, str]] = {PAIRS: "compactvl.studies.dide.open:open_pairs"}

    kind: Literal["dual_pairs"]
    dataset: Annotated[str, Ref("datasets", "captioned_images")]
    start: Annotated[str | None, Ref("variants", "fusion_pairs", "dual_pairs")] = Field(
        default=None, description="Variant whose weights both towers begin with; null: the trunk's pretrained ones."
    )
    teacher: Annotated[str | None, Ref("variants", "fusion_pairs")] = Field(
        default=None, description="Fusion encoder whose attention is distilled."
    )
    objectives: DualObjectives = DualObjectives()
    attention: Attention = Attention()

    @model_validator(mode="after")
    def _teacher_fits(self) -> "DualPairs":
        if (self.attention.weight > 0) != (self.teacher is not None):
            raise ValueError("`teacher` and an `attention.weight` above 0 go together")
        return self

    def training_needs(self, peers: Peers) -> Needs:
        """Images, captions, pretrained weights."""
        return self.image_needs(self.dataset, self.dataset) | Needs.of(weights={self.trunk.weights})

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """Images of the benchmark's data set."""
        return self.image_needs(benchmark.dataset, benchmark.dataset)

    def supports(self, benchmark: BenchmarkKind, peers: Peers) -> tuple[bool, str]:
        """Retrieval only by vectors that were trained for it."""
        if self.objectives.contrastive == 0:
            return False, "trained without `objectives.contrastive`, it has no similarity of vectors"
        return super().supports(benchmark, peers)


class Answering(Encoder):
    """What fine-tuned kinds share: a task with a list of answers."""

    opens: ClassVar[dict[str, str]] = {
        LOGITS: "compactvl.studies.dide.open:open_classifier",
        "latency": "compactvl.studies.dide.latency:open_answerer",
    }

    validations: int = Field(
        default=0, ge=0, description="How often to measure on the validation split; the best weights are kept."
    )
    dataset: Annotated[str, Ref("datasets", "answers")] = Field(description="The task: items with answers.")
    images_of: Annotated[str | None, Ref("datasets", "images")] = Field(
        default=None, description="Data set that holds the items' images; null: `dataset` itself."
    )
    answers: Count = Field(description="Answers of the task, by which parameters are counted.")
    image_pair: bool = Field(default=False, description="Items of two images (NLVR2).")
    questions_an_image: Count = Field(
        default=1, description="Items of one image that a batch has together, so that the image is computed once."
    )
    last_bias: float = Field(
        default=0.0, description="Where the biases of the answers' logits begin (paper: 0; the demo's sigmoids: -4)."
    )

    @property
    def form(self) -> dict[str, Any]:
        """How its items are read; see :class:`compactvl.studies.items.Items`."""
        return {"longest": self.trunk.longest, "image_pair": self.image_pair}

    def training_needs(self, peers: Peers) -> Needs:
        """Items, images, pretrained weights."""
        images = self.images_of or self.dataset
        return self.image_needs(self.dataset, images) | Needs.of(weights={self.trunk.weights})

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """Images of the benchmark's items; to time it, nothing: sizes decide."""
        if benchmark.ability == "latency":
            return Needs()
        return self.image_needs(benchmark.dataset, benchmark.images or benchmark.dataset)

    def supports(self, benchmark: BenchmarkKind, peers: Peers) -> tuple[bool, str]:
        """Its own task alone: the answers are those it learned."""
        if benchmark.ability == LOGITS and benchmark.dataset != self.dataset:
            return False, f"it answers {self.dataset}, the benchmark asks {benchmark.dataset}"
        return super().supports(benchmark, peers)

    def problems(self, peers: Peers) -> Iterator[tuple[str, str]]:
        """A teacher of another task, besides what does not fit."""
        yield from super().problems(peers)
        teacher = getattr(self, "teacher", None)
        if teacher is not None and peers[teacher].dataset != self.dataset:
            yield (
                "teacher",
                f"{teacher} was taught {peers[teacher].dataset}, not {self.dataset}; name a teacher of this task",
            )


class Fusion(Answering):
    """A fusion encoder on a task: the teacher."""

    trains: ClassVar[str] = "compactvl.studies.dide.train:train_fusion"

    kind: Literal["fusion"]
    start: Annotated[str | None, Ref("variants", "fusion_pairs", "fusion")] = Field(
        default=None, description="Variant whose weights it begins with; null: the trunk's pretrained ones."
    )
    blind: bool = Field(default=False, description="Sees its [CLS] of the image and no patch: a control.")


class Losses(Strict):
    """Weights of a student's losses; 0 switches one off. Published: soft labels and attention, no hard labels."""

    hard: Weight = Field(default=0.0, description="The task's own answers.")
    soft: Weight = Field(default=1.0, description="The teacher's answers.")
    attention: Attention = Attention(weight=1.0)


class Dual(Answering):
    """A dual encoder on a task: the student."""

    trains: ClassVar[str] = "compactvl.studies.dide.train:train_dual"

    kind: Literal["dual"]
    start: Annotated[str | None, Ref("variants", "fusion_pairs", "dual_pairs", "dual")] = Field(
        default=None, description="Variant whose weights both towers begin with; null: the trunk's pretrained ones."
    )
    teacher: Annotated[str | None, Ref("variants", "fusion")] = Field(
        default=None, description="Fusion encoder of the same task that it is taught by."
    )
    losses: Losses = Losses()

    @model_validator(mode="after")
    def _losses_fit(self) -> "Dual":
        losses = self.losses
        if (losses.soft > 0 or losses.attention.weight > 0) != (self.teacher is not None):
            raise ValueError("`teacher` and a weight of `losses.soft` or `losses.attention` above 0 go together")
        if losses.soft == 0 and losses.hard == 0:
            raise ValueError(
                "no loss of labels: attention alone trains neither pooler nor head; set `losses.hard` or `soft`"
            )
        return self
