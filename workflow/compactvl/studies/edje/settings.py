"""Settings of EDJE's variants. Every departure from the paper's recipe is a field here whose default is the paper's value;
parameters and Adam's state are float32 (the release: bfloat16)."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.references import Ref
from compactvl.evaluation.abilities import PAIRS
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Needs, Peers, Variant
from compactvl.training.optim import AdamW, Batch, Count, Decay, Final, Peak, Rate, ScheduleName, WarmUp

Share = Annotated[float, Field(ge=0, le=1)]
EMBEDDINGS = ("embedding", "pretrained", "late_interaction")
"""Kinds whose similarity can be a first stage or a miner."""
NOT_VARIANTS = ("first_stage", "random", "self")
"""Miners that are no other variant."""
COUNTS = "compactvl.studies.edje.parameters:count_parameters"


class Optimiser(AdamW):
    """The released recipe (paper). A batch is of pairs of an image and a caption of it."""

    steps: Count = Field(description="Optimiser steps.")
    batch: Batch = 256
    lr: Peak = 3e-4
    weight_decay: Decay = 0.05
    warmup: WarmUp = 100
    schedule: ScheduleName = "epoch_decay"
    final: Final = 0.1


class AdapterOptimiser(Optimiser):
    """The same, with the vision adapter as a group that can have a rate of its own."""

    groups: ClassVar[tuple[str, ...]] = ("adapter",)


class Vision(Strict):
    """Shape of the encoder's output; the token store is checked against it, and parameters are counted from it."""

    tokens: Count = Field(description="T, patch tokens an image.")
    width: Count = Field(description="d_v, numbers a token.")
    pooled: Count = Field(description="Width of the encoder's own pooled vector.")


class Adapter(Strict):
    """The vision adapter."""

    kind: Literal["compressed", "local", "mean_pooling"] = "compressed"
    tokens: Count | None = Field(default=64, description="m, tokens kept an image; null with `local`, which keeps all.")
    heads: Count = Field(default=16, description="Attention heads: the vision tower's.")
    hidden: Count = Field(default=8192, description="Width of the adapter's MLP.")
    rescale: bool = Field(
        default=False, description="Centre and scale the output to the word embeddings' statistics (not in the paper)."
    )

    @model_validator(mode="after")
    def _tokens_fit_kind(self) -> "Adapter":
        if (self.kind == "local") != (self.tokens is None):
            raise ValueError("`tokens` is null with kind `local`, and a number with every other kind")
        return self


def check_heads(adapter: Adapter, vision: Vision) -> None:
    """Raise ``ValueError`` if the adapter's attention heads do not share the tokens' width equally."""
    if adapter.kind == "compressed" and vision.width % adapter.heads:
        raise ValueError(f"adapter.heads {adapter.heads} does not divide vision.width {vision.width}")


class Joint(Strict):
    """The joint encoder."""

    weights: Annotated[str, Ref("weights")] = Field(default="minilm", description="Pretrained BERT weights by name.")
    layers: Count = Field(default=12, description="Keep the first so many layers (paper: all 12 of MiniLM-L12).")
    dropout: float = Field(default=0.1, ge=0, lt=1)
    longest_caption: int = Field(
        default=64,
        ge=4,
        description="Places that are not the image's: of a caption alone, [CLS] and [SEP]; in a pair, [CLS] and both [SEP].",
    )
    canonical: bool = Field(default=True, description="Whether captions lose case and ASCII punctuation (released).")
    checkpoint_chunks: bool = Field(
        default=False,
        description="Recompute the activations of each chunk of pairs in the backward: long sequences on one GPU.",
    )


class Negatives(Strict):
    """How the pairs that do not match are chosen, inside the batch."""

    miner: Annotated[str, Ref("variants", *EMBEDDINGS, besides=NOT_VARIANTS)] = Field(
        default="first_stage",
        description="`first_stage`, `random`, `self` (this model's own scores of the first stage's nearest), or an embedding variant.",
    )
    random_images: int = Field(default=0, ge=0, description="Further image negatives, drawn at random (paper: 0).")
    hard_share: Share = Field(
        default=1.0, description="Share of mined negatives; the rest is drawn at random (paper: 1)."
    )
    group: Count = Field(
        default=1,
        description="Batches are groups of so many images that are alike by the first stage (paper: 1, none).",
    )
    twins: int = Field(
        default=0,
        ge=0,
        description="Couples of twins in each batch, two scenes of the same words exchanged; each is the other's negative (paper: 0).",
    )
    exchanged: int = Field(
        default=0,
        ge=0,
        description="Pairs of each batch with a further text negative: their caption's words exchanged (paper: 0).",
    )
    candidates: Count = Field(default=3, description="Nearest candidates that miner `self` scores.")
    mode: Literal["paper", "released"] = Field(
        default="paper",
        description="`paper`: a negative has another image and other words. `released`: a caption's negative is any other "
        "row's image, its own again too; an image's is any other words, another caption of it too.",
    )


class Objectives(Strict):
    """Loss weights; 0 switches a loss off."""

    itm: float = Field(default=1.0, ge=0)
    itm_form: Literal["softmax", "binary"] = Field(
        default="softmax", description="`softmax` as released, `binary` as written."
    )
    mlm: float = Field(default=1.0, ge=0)
    mlm_rate: Share = Field(default=0.5, description="Chance of a caption token to be masked.")
    recovery: float = Field(default=1.0, ge=0)
    distillation: float = Field(default=0.0, ge=0)


class EmbeddingKind(Variant):
    """What first stages, miners and baselines share: a similarity of images and captions."""

    opens: ClassVar[dict[str, str]] = {PAIRS: "compactvl.studies.edje.open:open_embedding"}

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """What its similarity reads of the benchmark's images and captions."""
        return self.similarity_needs(benchmark.dataset)

    def similarity_needs(self, dataset: str) -> Needs:
        """What binding it to a data set reads."""
        return Needs.of(datasets={dataset}, tokens={(self.encoder, dataset)}, texts={(self.text_encoder, dataset)})


class Embedding(EmbeddingKind):
    """An embedding model: frozen vision features and sentence vectors under trained projections."""

    trains: ClassVar[str] = "compactvl.studies.edje.train_embedding:train_embedding"
    counts: ClassVar[str | None] = COUNTS

    kind: Literal["embedding"]
    encoder: Annotated[str, Ref("encoders")]
    vision: Vision
    text_encoder: Annotated[str, Ref("text_encoders")]
    text_width: Count = Field(default=384, description="Width of the text encoder's vectors.")
    dataset: Annotated[str, Ref("datasets", "captioned_images")]
    pooling: Literal["pooled", "mean", "pooled_and_mean", "attention"] = Field(
        default="pooled",
        description="Image vector: the encoder's own, the tokens' mean, both, or attention over tokens.",
    )
    dim: Count = 256
    hidden: int = Field(default=0, ge=0, description="Width of a residual MLP in each projection; 0: linear.")
    dropout: float = Field(default=0.0, ge=0, lt=1)
    loss: Literal["softmax", "sigmoid"] = "softmax"
    optimiser: Optimiser

    def training_needs(self, peers: Peers) -> Needs:
        """Images and captions of its data set."""
        return self.similarity_needs(self.dataset)


class Pretrained(EmbeddingKind):
    """A published embedding model as it is: its image and text vectors, no training."""

    trains: ClassVar[str] = "compactvl.studies.run:train_nothing"

    kind: Literal["pretrained"]
    encoder: Annotated[str, Ref("encoders")]
    text_encoder: Annotated[str, Ref("text_encoders")]
    dim: Count = Field(description="Width of its shared space.")


class LateInteraction(EmbeddingKind):
    """The adapter's tokens against frozen word vectors; no joint encoder. Also the adapter's alignment warm-up."""

    trains: ClassVar[str] = "compactvl.studies.edje.train_embedding:train_late_interaction"
    counts: ClassVar[str | None] = COUNTS

    kind: Literal["late_interaction"]
    encoder: Annotated[str, Ref("encoders")]
    vision: Vision
    dataset: Annotated[str, Ref("datasets", "captioned_images")]
    adapter: Adapter
    joint: Joint = Joint()
    sharpness: Rate = Field(default=12.0, description="Inverse temperature of the soft maximum over tokens.")
    optimiser: AdapterOptimiser
    precision: Literal["fp32", "bf16"] = "bf16"

    @model_validator(mode="after")
    def _heads_fit(self) -> "LateInteraction":
        check_heads(self.adapter, self.vision)
        return self

    def training_needs(self, peers: Peers) -> Needs:
        """Images and captions of its data set, and word vectors."""
        return self.similarity_needs(self.dataset)

    def similarity_needs(self, dataset: str) -> Needs:
        """What binding it to a data set reads."""
        return Needs.of(datasets={dataset}, tokens={(self.encoder, dataset)}, weights={self.joint.weights})


class Start(Strict):
    """Which runs the weights come from; default: MiniLM and a fresh adapter (paper)."""

    adapter: Annotated[str | None, Ref("variants", "late_interaction", "joint")] = Field(
        default=None, description="Variant whose adapter is taken."
    )
    joint: Annotated[str | None, Ref("variants", "joint")] = Field(
        default=None, description="Variant whose joint encoder and matching head are taken."
    )


FREE = {"dropout", "longest_caption", "canonical", "checkpoint_chunks"}
"""Settings of a joint encoder in which a variant may differ from the one it begins with."""


class JointEncoder(Variant):
    """EDJE."""

    trains: ClassVar[str] = "compactvl.studies.edje.train_joint:train_joint"
    opens: ClassVar[dict[str, str]] = {
        PAIRS: "compactvl.studies.edje.open:open_joint_pairs",
        "online": "compactvl.studies.edje.efficiency:open_online",
        "latency": "compactvl.studies.edje.latency:open_pairs_timed",
    }
    counts: ClassVar[str | None] = COUNTS

    kind: Literal["joint"]
    encoder: Annotated[str, Ref("encoders")]
    vision: Vision
    dataset: Annotated[str, Ref("datasets", "captioned_images")]
    first_stage: Annotated[str, Ref("variants", *EMBEDDINGS)] = Field(
        description="Embedding variant whose candidates are reranked."
    )
    adapter: Adapter = Adapter()
    joint: Joint = Joint()
    start: Start = Start()
    teacher: Annotated[str | None, Ref("variants", "joint")] = Field(
        default=None, description="Variant that is distilled from."
    )
    objectives: Objectives = Objectives()
    negatives: Negatives = Negatives()
    optimiser: AdapterOptimiser
    precision: Literal["fp32", "bf16"] = "bf16"
    validations: int = Field(
        default=0, ge=0, description="How often to measure R@1 on the validation split while training."
    )
    storage: Literal["fp16", "int8", "fp8"] = Field(default="fp16", description="How its compressed tokens are stored.")
    online: bool = Field(
        default=False,
        description="The efficiency benchmark also times it with vision features computed online, from captions as text, "
        "and beside other libraries.",
    )

    @model_validator(mode="after")
    def _teacher_fits(self) -> "JointEncoder":
        if (self.objectives.distillation > 0) != (self.teacher is not None):
            raise ValueError("`teacher` and a weight `objectives.distillation` above 0 go together")
        return self

    @model_validator(mode="after")
    def _twins_fit(self) -> "JointEncoder":
        if self.negatives.twins and 2 * self.negatives.twins >= self.optimiser.micro_batch:
            raise ValueError(f"negatives.twins {self.negatives.twins}: so many couples leave no room in a batch")
        return self

    @model_validator(mode="after")
    def _heads_fit(self) -> "JointEncoder":
        check_heads(self.adapter, self.vision)
        return self

    def training_needs(self, peers: Peers) -> Needs:
        """Images and captions of its data set, MiniLM, and what its first stage and its miner compare by."""
        needs = Needs.of(datasets={self.dataset}, tokens={(self.encoder, self.dataset)}, weights={self.joint.weights})
        for name in {self.first_stage, self.negatives.miner} - set(NOT_VARIANTS):
            needs |= peers[name].similarity_needs(self.dataset)
        return needs

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """Tokens, and the first stage; to time it, the vision encoder instead, or nothing where sizes decide."""
        if benchmark.ability == "latency":
            return Needs()
        needs = Needs.of(tokens={(self.encoder, benchmark.dataset)})
        if benchmark.ability == "online":
            return needs | Needs.of(encoders={self.encoder} if self.online else ())
        needs |= Needs.of(variants={self.first_stage})
        return needs | peers[self.first_stage].similarity_needs(benchmark.dataset)

    def problems(self, peers: Peers) -> Iterator[tuple[str, str]]:
        """What does not fit the variants it begins with, or needs vectors that a first stage of tokens does not have."""
        for part, name in self.start:
            if name is None:
                continue
            mine, its = (getattr(one, part).model_dump(exclude=FREE) for one in (self, peers[name]))
            if differ := [key for key in mine if mine[key] != its[key]]:
                yield f"{part}.{differ[0]}", f"differs from that of start.{part} {name}; they must be the same"
        if isinstance(peers[self.first_stage], LateInteraction):
            asked = {"objectives.recovery": self.objectives.recovery > 0, "negatives.group": self.negatives.group > 1}
            for setting in (name for name, wanted in asked.items() if wanted):
                yield setting, f"first stage {self.first_stage} compares tokens and has no vectors for it"
