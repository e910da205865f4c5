"""Evaluate any variant on a benchmark: predictions first, metrics from them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from compactvl.config.benchmarks import RetrievalBenchmark, WinogroundBenchmark
from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.results import Metric
from compactvl.evaluation.retrieval import fill_scores, needed_pairs, retrieval_metrics
from compactvl.evaluation.winoground import winoground_metrics
from compactvl.nn.compute import compute_device
from compactvl.records.record import read_manifest
from compactvl.studies.base import Job
from compactvl.studies.edje.joint import open_joint, open_tokenizer
from compactvl.studies.edje.pairs import Pairs
from compactvl.studies.edje.rerank_pairs import first_stage_table, rerank, through_storage
from compactvl.studies.edje.scoring import compress_all, score_pairs
from compactvl.studies.edje.settings import EMBEDDINGS, Control, JointEncoder, ScoreFusion
from compactvl.studies.edje.similarity import Similarity, open_similarity, open_store
from compactvl.studies.run import write_job_result
from compactvl.text.batches import TokenBatch
from compactvl.vision.codec import token_bytes

CAPTION_COLUMNS, IMAGE_COLUMNS = ("caption_0", "caption_1"), ("image_0", "image_1")


def evaluate(job: Job, name: str, benchmark: Any) -> None:
    """Write ``<name>.parquet`` and ``<name>.json`` for one variant and seed."""
    scorer = Scorer(job, benchmark)
    if isinstance(benchmark, RetrievalBenchmark):
        table = retrieval_table(scorer, benchmark)
        metrics = retrieval_metrics(table, benchmark.pools) + scorer.storage_metrics()
    else:
        table = winoground_table(scorer, benchmark)
        metrics = winoground_metrics(table)
    write_job_result(job, name, benchmark, table, metrics)


@dataclass
class Scorer:
    """A trained variant bound to a benchmark's data set."""

    job: Job
    benchmark: Any

    def __post_init__(self) -> None:
        settings, job = self.job.settings, self.job
        self.dataset = CanonicalSet.open(job.layout.dataset(self.benchmark.dataset))
        self.fusion_weight = 0.0
        self.joint: JointEncoder | None = None
        if isinstance(settings, EMBEDDINGS):
            self.embedding = job.variant
            return
        holder = settings.of if isinstance(settings, ScoreFusion | Control) else job.variant
        self.joint = job.peers[holder]
        self.embedding = self.joint.first_stage
        if isinstance(settings, ScoreFusion):
            own = job.layout.run(job.study, job.variant, job.seed)
            self.fusion_weight = float(read_manifest(own, "train")["shapes"]["weight"])
        run = job.layout.run(job.study, holder, job.seed)
        self.model = open_joint(run).to(compute_device())
        self.store = open_store(self.joint, job.layout, self.benchmark.dataset, run)
        self.tokenizer = open_tokenizer(run)

    def similarity(self, image_ids: list[str], captions: list[str]) -> Similarity:
        """The first stage (or the embedding variant itself) over these images and captions."""
        job = self.job
        return open_similarity(
            self.embedding, job.seed, job.peers, job.layout, self.benchmark.dataset, image_ids, captions, job.study
        )

    def storage_metrics(self) -> list[Metric]:
        """Decimal kB of stored tokens an image, for joint encoders."""
        if self.joint is None or isinstance(self.job.settings, Control):
            return []
        tokens = self.model.adapter_shape.tokens
        size = tokens * token_bytes(self.model.bert.shape.width, self.benchmark.storage) / 1000
        return [Metric("kb_per_image", size, size, size, 1, None, False)]


def retrieval_table(scorer: Scorer, benchmark: RetrievalBenchmark) -> pd.DataFrame:
    """Predictions of a retrieval benchmark: first-stage candidates, and the variant's own scores of them."""
    pairs = Pairs.of(scorer.dataset, benchmark.split, benchmark.caption_column)
    if benchmark.max_images is not None:
        pairs = pairs.subset(np.arange(min(benchmark.max_images, len(pairs.image_ids))))
    matrix = scorer.similarity(pairs.image_ids, pairs.captions).matrix()
    table = first_stage_table(matrix, pairs, benchmark.max_pool, benchmark.queries_per_image)
    if scorer.joint is None:
        return table
    settings = scorer.job.settings
    if isinstance(settings, Control) and settings.control == "random_scores":
        needed = needed_pairs(table)
        return fill_scores(table, needed, np.random.default_rng(scorer.job.seed).random(len(needed)))
    shift = len(pairs.image_ids) // 2 if isinstance(settings, Control) else 0
    reranked = rerank(
        table,
        pairs,
        scorer.model,
        scorer.store,
        scorer.tokenizer,
        precision=scorer.joint.precision,
        storage=benchmark.storage,
        shift=shift,
    )
    return fuse(reranked, scorer.fusion_weight)


def fuse(table: pd.DataFrame, weight: float) -> pd.DataFrame:
    """Add ``weight`` times the first-stage similarity to every score."""
    if weight == 0:
        return table
    fused = table.copy()
    fused["scores"] = [s + weight * f for s, f in zip(table["scores"], table["first_scores"], strict=True)]
    return fused


def winoground_table(scorer: Scorer, benchmark: WinogroundBenchmark) -> pd.DataFrame:
    """Scores of both captions with both images, one row an item."""
    items = scorer.dataset.items
    items = items[items["split"] == benchmark.split].reset_index(drop=True)
    image_ids = sorted({i for column in IMAGE_COLUMNS for i in items[column]})
    captions = sorted({t for column in CAPTION_COLUMNS for t in items[column]})
    image_row = {image_id: row for row, image_id in enumerate(image_ids)}
    text_row = {text: row for row, text in enumerate(captions)}
    images = np.stack([items[column].map(image_row).to_numpy(np.int64) for column in IMAGE_COLUMNS])
    texts = np.stack([items[column].map(text_row).to_numpy(np.int64) for column in CAPTION_COLUMNS])
    corners = [(c, i) for c in (0, 1) for i in (0, 1)]
    image_of = np.concatenate([images[i] for _, i in corners])
    text_of = np.concatenate([texts[c] for c, _ in corners])
    scores = _pair_scores(scorer, benchmark, image_ids, captions, image_of, text_of)
    columns = {f"s{c}{i}": part for (c, i), part in zip(corners, np.split(scores, 4), strict=True)}
    return items[["item_id", "kind"]].assign(**columns)


def _pair_scores(
    scorer: Scorer, benchmark: Any, image_ids: list[str], captions: list[str], images: np.ndarray, texts: np.ndarray
) -> np.ndarray:
    settings = scorer.job.settings
    if isinstance(settings, Control) and settings.control == "random_scores":
        return np.random.default_rng(scorer.job.seed).random(len(images))
    first = None
    if scorer.joint is None or scorer.fusion_weight:
        first = scorer.similarity(image_ids, captions).matrix()[images, texts]
    if scorer.joint is None:
        return first
    vision = through_storage(
        compress_all(scorer.model, scorer.store, image_ids, scorer.joint.precision), benchmark.storage
    )
    if isinstance(settings, Control):
        images = (images + len(image_ids) // 2) % len(image_ids)
    ids = TokenBatch.of(scorer.tokenizer.encode(captions, scorer.model.longest_caption))
    scores = score_pairs(scorer.model, vision, ids, images, texts, scorer.tokenizer.sep, scorer.joint.precision)
    return scores if first is None else scores + scorer.fusion_weight * first
