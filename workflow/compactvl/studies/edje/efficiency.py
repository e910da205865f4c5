"""How fast the online stage is: pairs a second from memory, from the store, with vision features computed online, and of other code.

Everything is measured in one job, one after the other, on the machine and threads the run's settings give.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compactvl.config.base import validate
from compactvl.config.benchmarks import EfficiencyBenchmark
from compactvl.config.encoders import PackagedEncoder
from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.efficiency import efficiency_metrics, environment, measure, timing_row
from compactvl.evaluation.results import write_result
from compactvl.files import read_json
from compactvl.studies.base import Job
from compactvl.studies.edje.compress import compress_store
from compactvl.studies.edje.joint import open_joint
from compactvl.studies.edje.model import Captions
from compactvl.studies.edje.pairs import Pairs
from compactvl.studies.edje.scoring import score_pairs
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.registry import load_encoder
from compactvl.vision.store import TokenStore


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
        self.precision = settings.precision
        self.model = open_joint(run)
        self.dataset = CanonicalSet.open(layout.dataset(benchmark.dataset))
        self.pairs = Pairs.of(self.dataset, "test")
        self.tokenizer = WordPiece(layout.weights(settings.joint.weights).with_suffix(".tokenizer.json"))
        patches = layout.tokens(settings.encoder, benchmark.dataset)
        compress_store(run, patches, folder, settings.storage, settings.precision, self.pairs.image_ids)
        self.store = TokenStore.open(folder)
        encoder = layout.settings("encoders", settings.encoder)
        self.encoder = None
        if (
            encoder.is_file()
            and read_json(encoder)["loader"] in PackagedEncoder.model_fields["loader"].annotation.__args__
        ):
            body = validate(PackagedEncoder, read_json(encoder), str(encoder))
            self.encoder = load_encoder(body, layout.weights(body.weights))

    @property
    def kb_per_image(self) -> float:
        """Decimal kB of tokens an image in the run's own storage format."""
        return self.store.nbytes_payload / len(self.store) / 1000

    def batch(self, size: int) -> tuple[list[str], Captions]:
        """``size`` distinct images and their first captions, repeated when the data set has fewer."""
        images = [index % len(self.pairs.image_ids) for index in range(size)]
        captions = [self.pairs.captions[self.pairs.of_image[index][0]] for index in images]
        rows = self.tokenizer.encode(captions, self.model.longest_caption)
        return [self.pairs.image_ids[index] for index in images], Captions.of(rows)

    def score(self, vision: Tensor, captions: Captions) -> np.ndarray:
        """Logits of row-wise pairs."""
        rows = np.arange(len(vision))
        return score_pairs(self.model, vision, captions, rows, rows, self.tokenizer.sep, self.precision)

    def from_memory(self, size: int) -> Callable[[], Any]:
        """Score pairs whose tokens are in RAM."""
        ids, captions = self.batch(size)
        vision = torch.from_numpy(self.store.read(ids)).float()
        return lambda: self.score(vision, captions)

    def from_store(self, size: int) -> Callable[[], Any]:
        """Read the tokens from the store, then score."""
        ids, captions = self.batch(size)
        return lambda: self.score(torch.from_numpy(self.store.read(ids)).float(), captions)

    @torch.inference_mode()
    def _from_pixels(self, images: list[bytes], captions: Captions) -> np.ndarray:
        pixels = np.stack([self.encoder.preprocess(image) for image in images])
        tokens, _ = self.encoder(torch.from_numpy(pixels))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            vision = self.model.compress(tokens.float())
        return self.score(vision.float(), captions)

    def from_pixels(self, size: int) -> Callable[[], Any]:
        """Decode, encode and compress the images, then score."""
        ids, captions = self.batch(size)
        images = [self.dataset.image_bytes(image_id) for image_id in ids]
        return lambda: self._from_pixels(images, captions)

    def lengths(self, size: int) -> int:
        """Sequence length of the longest pair of a batch."""
        return int(self.batch(size)[1].lengths.max()) + self.model.adapter_shape.tokens + 1


def transformers_bert(online: Online, size: int) -> Callable[[], Any]:
    """The same pairs through transformers' eager fp32 ``BertModel`` of the same sizes, padded to the longest."""
    from transformers import BertConfig, BertModel

    shape, length = online.model.bert.shape, online.lengths(size)
    config = BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.hidden,
        attn_implementation="eager",
    )
    bert = BertModel(config).eval()
    vectors, mask = torch.randn(size, length, shape.width), torch.ones(size, length)

    def call() -> Tensor:
        with torch.inference_mode():
            return bert(inputs_embeds=vectors, attention_mask=mask).pooler_output

    return call


def cross_encoder(online: Online, size: int) -> Callable[[], Any] | None:
    """sentence-transformers' ``CrossEncoder`` with a BERT of the same sizes and as many tokens; ``None`` if not installed."""
    try:
        from sentence_transformers import CrossEncoder
    except ImportError:
        return None
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    shape = online.model.bert.shape
    config = BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.hidden,
        num_labels=1,
    )
    with tempfile.TemporaryDirectory(prefix="compactvl-cross-encoder-") as folder:
        BertForSequenceClassification(config).save_pretrained(folder)
        BertTokenizerFast(tokenizer_object=online.tokenizer.backend).save_pretrained(folder)
        model = CrossEncoder(folder, device="cpu")
    ids, _ = online.batch(size)
    words = online.model.adapter_shape.tokens
    texts = [
        (online.pairs.captions[online.pairs.of_image[i % len(online.pairs.image_ids)][0]], "dog " * words)
        for i in range(len(ids))
    ]
    return lambda: model.predict(texts, batch_size=size, show_progress_bar=False)


def evaluate_efficiency(job: Job, name: str, benchmark: EfficiencyBenchmark) -> None:
    """Time one variant's online stage and the references beside it; write the result pair."""
    settings = job.settings
    with tempfile.TemporaryDirectory(prefix="compactvl-online-") as folder:
        online = Online(job, benchmark, Path(folder))
        rows = []

        def time(variant: str, source: str, size: int, call: Callable[[], Any] | None) -> None:
            if call is None:
                return
            taken = measure(call, warmup=benchmark.warmup, repeats=benchmark.repeats, seconds=benchmark.seconds)
            kilobytes = None if source == "reference" else online.kb_per_image
            tokens = online.model.adapter_shape.tokens
            rows.append(
                timing_row(
                    taken, variant=variant, source=source, tokens=tokens, batch=size, pairs=size, kb_per_image=kilobytes
                )
            )

        for size in sorted({*benchmark.batch_sizes, benchmark.pairs}):
            time(job.variant, "memory", size, online.from_memory(size))
            time(job.variant, "store", size, online.from_store(size))
        if settings.online:
            if online.encoder is not None:
                time(job.variant, "online", benchmark.pairs, online.from_pixels(benchmark.pairs))
            time("transformers_bert", "reference", benchmark.pairs, transformers_bert(online, benchmark.pairs))
            time("cross_encoder", "reference", benchmark.pairs, cross_encoder(online, benchmark.pairs))
    write_result(
        job.output,
        name,
        pd.DataFrame(rows),
        efficiency_metrics([row for row in rows if row["variant"] == job.variant]),
        settings=benchmark.model_dump(mode="json"),
        environment=environment(threads=torch.get_num_threads(), precision=settings.precision),
    )
