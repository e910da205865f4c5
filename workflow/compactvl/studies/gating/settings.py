"""Settings of the gating study's variants. Defaults are the paper's, but for bfloat16 in place of fp16; every departure is a field
set in the config."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.references import Ref
from compactvl.evaluation.abilities import TEXTS
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Needs, Peers, Variant
from compactvl.training.optim import AdamW, Batch, Clip, Count, Peak, Rate, ScheduleName, WarmUp

Weight = Annotated[float, Field(ge=0)]
Mode = Literal["paper", "released"]
READABLE = ("texts", "captions")
"""What a data set whose texts are read may hold."""


class Optimiser(AdamW):
    """The released recipe (paper). A batch is of texts, or of captions with their images.

    The group ``image`` is the weights that only captions train: the image's side.
    """

    groups: ClassVar[tuple[str, ...]] = ("image",)

    batch: Batch = 64
    lr: Peak = 5e-5
    warmup: WarmUp = 12_000
    schedule: ScheduleName = "cosine"
    clip: Clip = 1.0


class Shape(Strict):
    """The decoder's size."""

    width: Count = Field(default=768, description="d.")
    heads: Count = 8
    feedforward: Count = 3072
    layers: Count = Field(default=8, description="Decoder layers.")
    length: int = Field(default=128, ge=2, description="Longest text in tokens, [BOS] and [EOS] included.")
    dropout: float = Field(default=0.1, ge=0, lt=1)
    embedding_std: Rate | None = Field(
        default=None, description="Standard deviation of fresh token and position embeddings; null is 1, as released."
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "Shape":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class Image(Strict):
    """What the decoder sees of an image."""

    encoder: Annotated[str | None, Ref("encoders")] = Field(
        default=None, description="Vision encoder whose token stores are read; null: vectors that come with the data."
    )
    input: Literal["cls", "patches"] = Field(
        default="cls", description="The encoder's one CLS vector (paper), or all its patch tokens (open question 1)."
    )
    width: Count = Field(default=768, description="Numbers a vector; the store is checked against it.")
    standardise: bool = Field(
        default=False,
        description="Whether the vectors are given mean 0 and variance 1 over the training images (not in the paper).",
    )
    withheld: bool = Field(
        default=False, description="Whether captions are read without their images: the text-only control."
    )
    layers: int = Field(
        default=5, ge=0, description="Layers of the image encoder; 0 is the variant without (projection only)."
    )
    channel_attention: bool = Field(default=False, description="Squeeze-excitation on the image encoder's output.")


class Modulation(Strict):
    """FiLM or DyIntra, at one of three places."""

    kind: Literal["film", "dyintra"]
    place: Literal["text", "cross_attention", "image"]


class Auxiliary(Strict):
    """Weights of the auxiliary losses on caption batches; 0 switches one off (paper: CLIP 1, LCG 0.3)."""

    clip: Weight = 0.0
    lcg: Weight = 0.0


class Modes(Strict):
    """Defects of the released code, each one either repeated (`released`) or mended (`paper`)."""

    lcg: Mode = Field(
        default="paper",
        description="released: no −log, so matching pairs are pushed apart, and other words and images to compare with; "
        "the output tied to the word table; no image in the first layer.",
    )
    dyintra_image: Mode = Field(default="paper", description="released: does nothing where a padding mask is present.")
    image_conditioning: Mode = Field(
        default="paper", description="released: on-image modulation reads the whole caption, later words included."
    )
    ignore_index: Mode = Field(default="paper", description="released: the loss leaves out token 0, a word, as well.")
    hard_gates: Mode = Field(default="paper", description="released: one-hot samples in evaluation, not the argmax.")
    temperature: Mode = Field(default="paper", description="released: the Gumbel temperature is not in the checkpoint.")
    clip_pooling: Mode = Field(
        default="paper", description="released: CLIP's text vector averages all `shape.length` places, padding too."
    )
    feedforward: Mode = Field(default="paper", description="released: its output passes dropout twice.")
    image_layers: Mode = Field(
        default="paper", description="released: the image encoder's layers begin as copies of one."
    )
    mixed_shuffled: Mode = Field(
        default="paper",
        description="released: texts are shuffled with captions, not batches, and texts see an image of zeros.",
    )


class Curriculum(Strict):
    """The order in which text and caption batches come. An epoch goes through one of the two."""

    kind: Literal[
        "alternating", "text_then_caption", "caption_then_text", "mixed", "mixed_shuffled", "captions_only", "text_only"
    ] = Field(
        default="alternating",
        description="mixed: a text and a caption batch a step, losses added (uniform); mixed_shuffled: both kinds of "
        "batch shuffled together (non-uniform); captions_only: open question 3.",
    )
    first: Literal["text", "caption"] = Field(default="text", description="Which comes first when alternating.")
    epochs: Count = Field(default=10, description="Epochs of text, and as many of captions.")
    text_batches: Count | None = Field(
        default=None, description="Batches of an epoch of text; null: all texts (of the share), each once."
    )
    caption_batches: Count | None = Field(
        default=None, description="Batches of an epoch of captions; null: all captions (of the share), each once."
    )


class Monitor(Strict):
    """What is measured at every epoch boundary: for the report's stability curves, never for selection."""

    pairs: Annotated[str | None, Ref("datasets", "minimal_pairs")] = Field(
        default=None, description="Data set of minimal pairs."
    )
    vqa: Annotated[str | None, Ref("datasets", "ranked_answers")] = Field(
        default=None, description="Data set of questions with ranked answers."
    )
    split: Literal["val", "test"] = Field(
        default="val", description="Whose items of these two; BabyLM's have only `test`. Perplexities are of `val`."
    )
    items: Count = Field(default=200, description="Most items of each kind.")


class Tokenizer(Variant):
    """The byte-level BPE every other variant reads: trained on the training texts, or a published one."""

    trains: ClassVar[str] = "compactvl.studies.gating.train_others:train_tokenizer"

    kind: Literal["tokenizer"]
    texts: Annotated[tuple[str, ...], Ref("datasets", *READABLE)] = Field(
        default=(), description="Data sets on whose training texts it is trained."
    )
    vocabulary: int = Field(default=8192, ge=259, description="Entries, three special tokens and 256 bytes included.")
    lowercase: bool = Field(default=True, description="Whether texts are lower-cased.")
    pretrained: str | None = Field(
        default=None, description="Hub name or folder of a published tokenizer (paper: openai-community/gpt2)."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "Tokenizer":
        if bool(self.texts) == bool(self.pretrained):
            raise ValueError("give either `texts` to train it on or `pretrained`")
        return self

    def training_needs(self, peers: Peers) -> Needs:
        """Its texts."""
        return Needs.of(datasets=self.texts)


class LanguageModel(Variant):
    """What gives texts log-probabilities."""

    tokenizer: Annotated[str, Ref("variants", "tokenizer")] = Field(description="Variant of kind tokenizer.")

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """Its tokenizer."""
        return Needs.of(variants={self.tokenizer})


class Decoder(LanguageModel):
    """The dual-stream decoder."""

    trains: ClassVar[str] = "compactvl.studies.gating.train:train_decoder"
    opens: ClassVar[dict[str, str]] = {
        TEXTS: "compactvl.studies.gating.open:open_decoder_texts",
        "gates": "compactvl.studies.gating.open:open_gates",
    }
    counts: ClassVar[str | None] = "compactvl.studies.gating.parameters:count_parameters"

    kind: Literal["decoder"]
    texts: Annotated[tuple[str, ...], Ref("datasets", *READABLE)] = Field(description="Data sets of text lines.")
    captions: Annotated[tuple[str, ...], Ref("datasets", "captions")] = Field(
        description="Data sets of captioned images."
    )
    data_share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the documents (of the lines, of a `text_lines` set) and of the images it sees.",
    )
    shape: Shape = Shape()
    image: Image = Image()
    gate: Literal["soft_feature", "soft_token", "hard_feature", "hard_token", "none"] = "soft_feature"
    temperature: tuple[Rate, Rate] = Field(default=(1.0, 0.1), description="Gumbel temperature, first and last.")
    anneal: float = Field(default=0.8, gt=0, le=1, description="Share of the caption steps over which it falls.")
    modulation: Modulation | None = None
    auxiliary: Auxiliary = Auxiliary()
    modes: Modes = Modes()
    curriculum: Curriculum = Curriculum()
    start: Annotated[str | None, Ref("variants", "decoder")] = Field(
        default=None, description="Variant whose weights it begins with, where names agree."
    )
    optimiser: Optimiser = Optimiser()
    precision: Literal["fp32", "bf16"] = "bf16"
    monitor: Monitor = Monitor()

    @model_validator(mode="after")
    def _parts_fit(self) -> "Decoder":
        on_image = self.modulation is not None and self.modulation.place == "image"
        if on_image and self.modes.image_conditioning == "paper" and self.image.input == "patches":
            raise ValueError(
                "modulation on the image that sees only the words so far makes one image a word: too much with "
                "`input: patches`; use `input: cls`, or modes.image_conditioning released"
            )
        if on_image and (self.auxiliary.clip or self.auxiliary.lcg):
            raise ValueError("auxiliary losses compare images with texts: not with modulation of the image by the text")
        if self.image.channel_attention and self.image.layers == 0:
            raise ValueError("channel attention is on the image encoder's output: image.layers must be above 0")
        kind = self.curriculum.kind
        if not self.texts and kind != "captions_only":
            raise ValueError(f"curriculum {kind} needs `texts`")
        if not self.captions and kind != "text_only":
            raise ValueError(f"curriculum {kind} needs `captions`")
        if (self.image.withheld or self.shuffles_samples) and (self.auxiliary.clip or self.auxiliary.lcg):
            raise ValueError("auxiliary losses compare images with texts: not where images are withheld or of zeros")
        if self.shuffles_samples and not self.texts:
            raise ValueError("modes.mixed_shuffled released shuffles texts with captions: it needs `texts`")
        return self

    @property
    def shuffles_samples(self) -> bool:
        """Whether texts and captions share their batches."""
        return self.curriculum.kind == "mixed_shuffled" and self.modes.mixed_shuffled == "released"

    @property
    def reads_captions(self) -> bool:
        """Whether it is trained on captions."""
        return self.curriculum.kind != "text_only"

    @property
    def images(self) -> bool:
        """Whether it is trained with images."""
        return self.reads_captions and not self.image.withheld

    def supports(self, benchmark: BenchmarkKind, peers: Peers) -> tuple[bool, str]:
        """Only a decoder with gates and images has gates to show."""
        if benchmark.ability == "gates" and not (self.gate != "none" and self.images):
            return False, "only a decoder trained with images and with a gate has gate values"
        return super().supports(benchmark, peers)

    def training_needs(self, peers: Peers) -> Needs:
        """Texts, captions and their images, and what it is measured on while it trains."""
        captions = self.captions if self.reads_captions else ()
        needs = Needs.of(datasets={*self.texts, *captions, self.monitor.pairs, self.monitor.vqa})
        return needs | self._image_needs(self.captions) if self.images else needs

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """Its tokenizer and image vectors; for gates, also the training texts and the concreteness norms."""
        needs = super().evaluation_needs(benchmark, peers)
        if benchmark.ability == "gates":
            # Word frequencies are those of the whole training texts, however much of them it was trained on.
            needs |= Needs.of(datasets={*self.texts, *self.captions}, files={benchmark.concreteness})
            return needs | self._image_needs({benchmark.dataset, benchmark.images} - {None})
        return needs | self._image_needs(benchmark.images) if self.images else needs

    def problems(self, peers: Peers) -> Iterator[tuple[str, str]]:
        """A start whose words are others."""
        if self.start is not None and peers[self.start].tokenizer != self.tokenizer:
            yield "start", f'"{self.start}" reads another tokenizer; its words are not this variant\'s'

    def _image_needs(self, datasets: Iterable[str]) -> Needs:
        if self.image.encoder is None:
            return Needs.of(datasets=datasets)
        return Needs.of(tokens={(self.image.encoder, name) for name in datasets})


class NGram(LanguageModel):
    """A unigram or bigram model of the same tokens: what counting alone can do."""

    trains: ClassVar[str] = "compactvl.studies.gating.train_others:train_ngram"
    opens: ClassVar[dict[str, str]] = {TEXTS: "compactvl.studies.gating.open:open_ngram_texts"}

    kind: Literal["ngram"]
    order: Literal[1, 2]
    texts: Annotated[tuple[str, ...], Ref("datasets", *READABLE)] = Field(description="Data sets of text lines.")
    captions: Annotated[tuple[str, ...], Ref("datasets", "captions")] = Field(
        description="Data sets of captioned images."
    )
    discount: float = Field(default=0.75, gt=0, lt=1, description="Absolute discount of Kneser and Ney.")
    length: int = Field(default=128, ge=2, description="Longest text in tokens, as the decoders'.")

    def training_needs(self, peers: Peers) -> Needs:
        """What it counts."""
        return Needs.of(datasets={*self.texts, *self.captions})


class Random(LanguageModel):
    """The negative control: every text gets a random log-probability."""

    trains: ClassVar[str] = "compactvl.studies.gating.train_others:train_random"
    opens: ClassVar[dict[str, str]] = {TEXTS: "compactvl.studies.gating.open:open_random_texts"}

    kind: Literal["random"]
