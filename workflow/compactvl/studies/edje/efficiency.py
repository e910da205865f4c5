"""How fast the online stage is: pairs a second from memory, from the store, with vision features computed online, and of other code.

Everything is measured in one job, one after the other, on the device and threads the run's settings give.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compactvl.config.base import Strict, validate
from compactvl.config.encoders import EncoderSettings
from compactvl.config.references import named
from compactvl.data.canonical import CanonicalSet
from compactvl.data.pairs import Pairs
from compactvl.evaluation.benchmarks.efficiency import Settings as EfficiencyBenchmark
from compactvl.evaluation.efficiency import Source, environment, measure, timing_row
from compactvl.files import read_json
from compactvl.nn.compute import arithmetic, autocast, compute_device
from compactvl.records.layout import Layout
from compactvl.studies.base import Job
from compactvl.studies.edje.compress import compress_store
from compactvl.studies.edje.joint import open_joint
from compactvl.studies.edje.model import score_pairs
from compactvl.studies.pieces import open_tokenizer
from compactvl.text.batches import TokenBatch
from compactvl.vision.registry import Encoder, load_encoder
from compactvl.vision.store import TokenStore


class EncoderFile(Strict):
    """What a vision encoder's settings file holds, under a name: settings of any loader."""

    encoder: EncoderSettings


def open_encoder(name: str, layout: Layout, device: torch.device) -> Encoder:
    """Load a vision encoder of the configuration by its settings file.

    Raises:
        UserError: the file is missing or wrong, or the weights cannot be loaded.
    """
    path = layout.settings("encoders", name)
    settings = validate(EncoderFile, {"encoder": read_json(path)}, str(path)).encoder
    weights = [layout.weights(name) for name in named(settings, "weights")]
    return load_encoder(settings, weights[0] if weights else None, str(device))


class Online:
    """A run, a data set's pairs, and every way to score a batch of them.

    Args:
        job: the variant that is measured.
        benchmark: which data set, and how many pairs.
        folder: where a store of the run's compressed tokens may be put.
    """

    def __init__(self, job: Job, benchmark: EfficiencyBenchmark, folder: Path) -> None:
        settings, layout = job.settings, job.layout
        run = layout.run(job.study, job.variant, job.seed)
        self.device = compute_device()
        self.precision = arithmetic(self.device, settings.precision)
        self.model = open_joint(run)
        self.dataset = CanonicalSet.open(layout.dataset(benchmark.dataset))
        self.pairs = Pairs.of(self.dataset, "test")
        self.tokenizer = open_tokenizer(run)
        patches = layout.tokens(settings.encoder, benchmark.dataset)
        compress_store(run, patches, folder, settings.storage, self.pairs.image_ids)
        self.store = TokenStore.open(folder)
        self.encoder = open_encoder(settings.encoder, layout, self.device) if settings.online else None

    @property
    def kb_per_image(self) -> float:
        """Decimal kB of tokens an image in the run's own storage format."""
        return self.store.nbytes_payload / len(self.store) / 1000

    def batch(self, size: int) -> tuple[list[str], list[str]]:
        """Ids of ``size`` distinct images and their first captions, repeated when the data set has fewer."""
        images = [index % len(self.pairs.image_ids) for index in range(size)]
        captions = [self.pairs.captions[self.pairs.of_image[index][0]] for index in images]
        return [self.pairs.image_ids[index] for index in images], captions

    def tokenise(self, captions: Sequence[str]) -> TokenBatch:
        """Token ids of captions."""
        return TokenBatch.of(self.model.encode(self.tokenizer, captions))

    def read(self, ids: Sequence[str]) -> Tensor:
        """Stored tokens, float32 (N, m, width), in RAM."""
        return torch.from_numpy(self.store.read(ids)).float()

    def score(self, vision: Tensor, captions: TokenBatch) -> np.ndarray:
        """Logits of row-wise pairs."""
        rows = np.arange(len(vision))
        return score_pairs(self.model, vision, captions, rows, rows, self.tokenizer.sep)

    def from_memory(self, size: int) -> Callable[[], Any]:
        """Score pairs whose image tokens and word pieces are in RAM."""
        ids, texts = self.batch(size)
        vision, captions = self.read(ids), self.tokenise(texts)
        return lambda: self.score(vision, captions)

    def from_text(self, size: int) -> Callable[[], Any]:
        """Tokenise the captions, then score with image tokens in RAM: what other libraries' calls include."""
        ids, texts = self.batch(size)
        vision = self.read(ids)
        return lambda: self.score(vision, self.tokenise(texts))

    def from_store(self, size: int) -> Callable[[], Any]:
        """Read the image tokens from the store, then score."""
        ids, texts = self.batch(size)
        captions = self.tokenise(texts)
        return lambda: self.score(self.read(ids), captions)

    def from_pixels(self, size: int) -> Callable[[], Any]:
        """Decode, encode and compress the images, then score."""
        ids, texts = self.batch(size)
        images, captions = [self.dataset.image_bytes(image_id) for image_id in ids], self.tokenise(texts)
        return lambda: self._from_pixels(images, captions)

    @torch.inference_mode()
    def _from_pixels(self, images: list[bytes], captions: TokenBatch) -> np.ndarray:
        tokens, _ = self.encoder(np.stack([self.encoder.preprocess(image) for image in images]))
        with autocast(self.device, self.precision):
            vision = self.model.compress(tokens)
        return self.score(vision.float(), captions)

    def length(self, size: int) -> int:
        """Sequence length of the longest pair of a batch."""
        captions = self.tokenise(self.batch(size)[1])
        return int(captions.lengths.max()) + self.model.tokens + 1


def _bert_sizes(online: Online, length: int) -> dict[str, int]:
    """The joint encoder's sizes as transformers' ``BertConfig`` names them, with positions for sequences of ``length``."""
    shape = online.model.bert.shape
    return {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.hidden,
        "max_position_embeddings": max(shape.positions, length),
    }


def transformers_bert(online: Online, size: int) -> Callable[[], Any]:
    """The same pairs through transformers' eager fp32 ``BertModel`` of the same sizes, padded to the longest."""
    from transformers import BertConfig, BertModel

    length, device = online.length(size), online.device
    config = BertConfig(**_bert_sizes(online, length), attn_implementation="eager")
    bert = BertModel(config).eval().to(device)
    vectors, mask = (
        torch.randn(size, length, config.hidden_size, device=device),
        torch.ones(size, length, device=device),
    )

    def call() -> Tensor:
        with torch.inference_mode():
            return bert(inputs_embeds=vectors, attention_mask=mask).pooler_output

    return call


def cross_encoder(online: Online, size: int) -> Callable[[], Any] | None:
    """sentence-transformers' fp32 ``CrossEncoder``, a BERT of the same sizes and as many tokens; ``None`` if not installed.

    Its call tokenises the texts too: compare it with :meth:`Online.from_text`.
    """
    try:
        from sentence_transformers import CrossEncoder
    except ImportError:
        return None
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    config = BertConfig(**_bert_sizes(online, online.length(size)), num_labels=1)
    with tempfile.TemporaryDirectory(prefix="compactvl-cross-encoder-") as folder:
        BertForSequenceClassification(config).save_pretrained(folder)
        BertTokenizerFast(tokenizer_object=online.tokenizer.backend).save_pretrained(folder)
        model = CrossEncoder(folder, device=str(online.device))
    tokens = "dog " * online.model.tokens
    texts = [(caption, tokens) for caption in online.batch(size)[1]]
    return lambda: model.predict(texts, batch_size=size, show_progress_bar=False)


@dataclass(frozen=True)
class OnlineStage:
    """See :class:`compactvl.evaluation.benchmarks.efficiency.OnlineStage`."""

    job: Job
    benchmark: EfficiencyBenchmark

    @property
    def variant(self) -> str:
        """The variant that is timed."""
        return self.job.variant

    def timings(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Time the variant's online stage and the references beside it."""
        job, benchmark = self.job, self.benchmark
        with tempfile.TemporaryDirectory(prefix="compactvl-online-") as folder:
            online = Online(job, benchmark, Path(folder))
            on_gpu, rows = online.device.type == "cuda", []

            def time(variant: str, source: Source, size: int, call: Callable[[], Any] | None) -> None:
                if call is None:
                    return
                taken = measure(
                    call,
                    warmup=benchmark.warmup,
                    repeats=benchmark.repeats,
                    seconds=benchmark.seconds,
                    synchronise=torch.cuda.synchronize if on_gpu else None,
                )
                reference = source == "reference"
                rows.append(
                    timing_row(
                        taken,
                        variant=variant,
                        source=source,
                        precision="fp32" if reference else online.precision,
                        tokens=online.model.tokens,
                        batch=size,
                        pairs=size,
                        kb_per_image=None if reference else online.kb_per_image,
                    )
                )

            for size in sorted({*benchmark.batch_sizes, benchmark.pairs}):
                time(job.variant, "memory", size, online.from_memory(size))
                time(job.variant, "store", size, online.from_store(size))
            if job.settings.online:
                pairs = benchmark.pairs
                time(job.variant, "text", pairs, online.from_text(pairs))
                time(job.variant, "online", pairs, online.from_pixels(pairs))
                time("transformers_bert", "reference", pairs, transformers_bert(online, pairs))
                time("cross_encoder", "reference", pairs, cross_encoder(online, pairs))
        device = f"cuda ({torch.cuda.get_device_name(online.device)})" if on_gpu else "cpu"
        return rows, environment(threads=torch.get_num_threads(), precision=online.precision, device=device)


def open_online(job: Job, benchmark: EfficiencyBenchmark) -> OnlineStage:
    """Open a joint encoder's online stage."""
    return OnlineStage(job, benchmark)
