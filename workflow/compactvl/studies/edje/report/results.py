"""EDJE's results: hits query by query, tokens, storage and timings; and what its variants are called."""

import functools
from collections.abc import Iterable
from typing import Any, ClassVar

import pandas as pd

from compactvl.evaluation.efficiency import TIMING_COLUMNS
from compactvl.evaluation.results import read_result
from compactvl.evaluation.retrieval import DIRECTIONS, query_hits
from compactvl.evaluation.winoground import CHANCE as WINOGROUND
from compactvl.evaluation.winoground import score_items
from compactvl.files import read_json
from compactvl.reporting.overview import Model
from compactvl.reporting.study import Estimate, StudyResults, over_seeds

SCENES, NAMES, SWAPS = "scenes", "names", "swaps"
DEFAULT_POOL = 10
TOKEN_WIDTH, BYTES_FP16 = 384, 2
"""Of a compressed token: as wide as MiniLM's word vectors, stored as fp16."""
TITLES = {"t2i": "Text → image", "i2t": "Image → text"}
"""Direction of retrieval → its title."""
EXCHANGED = {"left_right": "left / right", "above_below": "above / below"}
"""Kind of exchange → its name, where that is another one."""


class EdjeResults(StudyResults):
    """Metrics, predictions and timings of EDJE's variants."""

    LABELS: ClassVar = {
        "edje": "EDJE, {m} tokens",
        **dict.fromkeys(("compressed_4", "compressed_8", "compressed_12", "compressed_24"), "EDJE, m = {m}"),
        "trunk": "EDJE trunk (start of the ablations)",
        "random_scores": "Random scores (control)",
        "retriever": "Embedding model",
        "retriever_attention": "Embedding model, attention-pooled",
        "retriever_names": "Embedding model, trained on names",
        "late_interaction": "Late interaction",
        "local": "EDJE local (all tokens)",
        "compressed_distilled": "EDJE, distilled",
        "itm_only": "ITM",
        "itm_mlm": "ITM + MLM",
        "itm_mlm_recovery": "ITM + MLM + recovery",
        "hard_negatives": "First stage's hard negatives",
        "random_negatives": "Random negatives",
        "own_negatives": "Own hard negatives",
        "weak_miner": "Weak miner's negatives",
        "no_twins": "EDJE without twins",
        "score_fusion": "EDJE + first-stage score",
        "mean_pooling": "Mean-pooled tokens (control)",
        "shuffled_tokens": "Shuffled images (control)",
        "paper_recipe": "Paper's recipe alone",
        "cross_encoder": "CrossEncoder (sentence-transformers)",
        "transformers_bert": "BertModel (transformers, eager fp32)",
    }
    METRICS: ClassVar = {
        "mean_r1": "mean R@1", "t2i_r1": "Text → image R@1", "i2t_r1": "Image → text R@1", "group": "group score",
    }  # fmt: skip

    def label(self, variant: str) -> str:
        """Return a variant's name for readers; ``m`` is the number of tokens in its settings."""
        return super().label(variant).format(m=self.tokens(variant) or "?")

    def estimate(self, variant: str, benchmark: str, metric: str, seed: int | None = None) -> Estimate | None:
        """As :meth:`StudyResults.estimate`; of several pools, a name without one means the default pool."""
        found = super().estimate(variant, benchmark, metric, seed)
        return found or super().estimate(variant, benchmark, f"{metric}@pool{DEFAULT_POOL}", seed)

    def pool(self, variant: str, benchmark: str) -> int:
        """Return the pool a benchmark reranks, its result's ``settings.pools``; the default one of several."""
        path = self.first_file(self.results, variant, f"{benchmark}.json")
        pools = [] if path is None else read_result(path).get("settings", {}).get("pools", [])
        return DEFAULT_POOL if DEFAULT_POOL in pools else max(pools, default=DEFAULT_POOL)

    def items(self, variant: str, benchmark: str, metric: str) -> pd.DataFrame | None:
        """Return each query's hit for ``<direction>_r<k>`` (direction t2i, i2t, or mean: both), by direction and query.

        Or each of Winoground's items, right or not by its ``text``, ``image`` or ``group`` score.
        Clusters are images. Of ``mean`` values are scaled so that each direction weighs the same in their mean,
        however many queries it has.
        """
        tables = list(self.predictions(variant, benchmark).values())
        if not tables:
            return None
        if metric in WINOGROUND:
            right = over_seeds([score_items(table.set_index("item_id"))[metric].astype(float) for table in tables])
            return right.assign(cluster=right.index)
        direction, _, k = metric.partition("_r")
        pool, parts = self.pool(variant, benchmark), {}
        for one in DIRECTIONS if direction == "mean" else (direction,):
            hits = over_seeds([query_hits(table, one, pool, int(k)) for table in tables])
            rows = tables[0][tables[0]["direction"] == one].set_index("query_id")
            parts[one] = hits.assign(cluster=rows["cluster_id"])
        table = pd.concat(parts, names=["direction", "query_id"])
        sizes = table.groupby(level="direction")["value"].transform("size")
        values = table.columns.drop("cluster")
        return table.assign(**table[values].mul(len(table) / (len(parts) * sizes), axis=0))

    def tokens(self, variant: str) -> int | None:
        """Return the tokens an image has for a variant, by its settings; ``None`` where it has no adapter."""
        settings = self.settings(variant) or {}
        adapter = settings.get("adapter")
        if adapter is None:
            return None
        return settings["vision"]["tokens"] if adapter["kind"] == "local" else adapter["tokens"]

    def token_arms(self, of: str) -> dict[str, int]:
        """Return ``of`` and the variants trained like it but for the number of learned queries, fewest first.

        Each adapter may have had a warm-up of its own, and may be validated and timed or not.
        """
        free = ("adapter.tokens", "start.adapter", "validations", "online")
        arms = self.measured(SCENES, self.arms(of, *free))
        return dict(sorted(((arm, self.tokens(arm)) for arm in arms), key=lambda arm: arm[1]))

    def kilobytes(self, variant: str) -> float | None:
        """Return the decimal kB an image takes in the cache: measured, else by its number of tokens, else ``None``."""
        if measured := self.estimate(variant, SCENES, "kb_per_image"):
            return measured.value
        tokens = self.tokens(variant)
        return None if tokens is None else tokens * TOKEN_WIDTH * BYTES_FP16 / 1000

    @functools.cached_property
    def timings(self) -> pd.DataFrame:
        """Timing rows of every variant's first seed and of the references; see :mod:`compactvl.evaluation.efficiency`."""
        tables = [next(iter(found.values())) for v in self.variants if (found := self.predictions(v, "efficiency"))]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(TIMING_COLUMNS))

    def timed(self, variants: Iterable[str]) -> pd.DataFrame:
        """Return the timing rows of these variants, in their order, then those of the references."""
        rows = self.timings[self.timings["variant"].isin(list(variants)) | (self.timings["source"] == "reference")]
        order = {name: place for place, name in enumerate(dict.fromkeys([*variants, *rows["variant"]]))}
        return rows.sort_values("variant", key=lambda names: names.map(order), kind="stable")

    @property
    def timing_environment(self) -> dict[str, Any]:
        """What the timings depend on: device, threads, precision, processor; empty where nothing was timed."""
        paths = sorted((self.results / self.study).glob("*/seed*/efficiency.json"))
        return read_json(paths[0]).get("environment", {}) if paths else {}

    def models(self, *, main: str, first_stage: str) -> list[Model]:
        """Return the study's main models; see :func:`edje_claims` for the arguments."""
        dim = (self.settings(first_stage) or {}).get("dim")
        vector = None if dim is None else 4 * dim / 1000
        return [
            Model("Dual encoder, contrastive", first_stage, storage=vector),
            Model("EDJE", main, offline=("adapter",), storage=self.kilobytes(main)),
            Model("EDJE, not compressed", "local", offline=("adapter",), storage=self.kilobytes("local")),
        ]
