"""Evaluate what a variant's gates do, word by word, and where the image is needed or not."""

import json
import logging

import numpy as np
import pandas as pd

from compactvl.config.language_benchmarks import GatesBenchmark
from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.evaluation.concreteness import concreteness_of, read_concreteness
from compactvl.evaluation.frequency import WordFrequencies
from compactvl.evaluation.gates import collapsed, gates_metrics
from compactvl.evaluation.language_requests import spread_evenly
from compactvl.nn.compute import compute_device
from compactvl.studies.base import Job
from compactvl.studies.gating.images import open_images
from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.runs import open_decoder, open_tokenizer
from compactvl.studies.gating.streams import text_column
from compactvl.studies.gating.words import word_values
from compactvl.studies.run import write_job_result
from compactvl.text.bpe import TextTokenizer

log = logging.getLogger(__name__)


def evaluate_gates(job: Job, name: str, benchmark: GatesBenchmark) -> None:
    """Write the table of gates by word, and of the probe's items, with its metrics."""
    model = open_decoder(job.layout, job, compute_device())
    tokenizer = open_tokenizer(job)
    table = caption_gates(job, model, tokenizer, benchmark)
    if benchmark.probe is not None:
        table = pd.concat([table, probe_gates(job, model, tokenizer, benchmark)], ignore_index=True)
    norms = read_concreteness(benchmark.concreteness) if benchmark.concreteness is not None else {}
    trained_on = (*job.settings.texts, *job.settings.captions)
    frequencies = WordFrequencies.of_texts(text for key in trained_on for text in _texts(_open(job, key)))
    words = table["word"].str.lower().tolist()
    table["frequency"] = frequencies.log10_per_million(words)
    table["concreteness"] = concreteness_of(words, norms)
    if check := collapsed(table):
        log.warning(
            "%s: the gates have collapsed: over all words they vary by %.1g (standard deviation, last layer)",
            job.variant,
            check.layers[-1],
        )
    write_job_result(job, name, benchmark, table, gates_metrics(table))


def caption_gates(job: Job, model: GatedDecoder, tokenizer: TextTokenizer, benchmark: GatesBenchmark) -> pd.DataFrame:
    """One row a word of the captions of a split."""
    dataset = _open(job, benchmark.dataset)
    items = dataset.split(benchmark.split)
    items = items.iloc[spread_evenly(items["item_id"], benchmark.max_items)]
    texts = [caption.split() for caption in items["caption"]]
    images = open_images(job.settings.image, job.layout, dataset)
    values = word_values(model, tokenizer, texts, items["image_id"].tolist(), images)
    parts = []
    for item, words, found in zip(items.itertuples(), texts, values, strict=True):
        count = len(found.pieces)
        tags = getattr(item, "pos", "").split() or [""] * len(words)
        if len(tags) != len(words):
            raise UserError(
                f"data set {dataset.name!r}, item {item.item_id}: {len(tags)} parts of speech for {len(words)} words; "
                "they must match one to one"
            )
        parts.append(
            pd.DataFrame(
                {
                    "source": "captions",
                    "item_id": item.item_id,
                    "image_id": item.image_id,
                    "position": np.arange(count),
                    "word": words[:count],
                    "pos": tags[:count],
                    "pieces": found.pieces,
                    **{f"gate_{layer}": g.astype(np.float32) for layer, g in enumerate(found.gates)},
                    "gate_sd": found.gate_sd.astype(np.float32),
                    "surprisal": found.surprisal,
                    "surprisal_no_image": found.surprisal_no_image,
                    "condition": "",
                    "correct": np.nan,
                    "correct_no_image": np.nan,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def probe_gates(job: Job, model: GatedDecoder, tokenizer: TextTokenizer, benchmark: GatesBenchmark) -> pd.DataFrame:
    """One row a probe item: the gate where its answer is predicted, and whether the answer beats its distractors."""
    dataset = _open(job, benchmark.probe)
    items = dataset.split(benchmark.split)
    images = open_images(job.settings.image, job.layout, _open(job, benchmark.images))
    texts, owner = [], []
    for number, item in enumerate(items.itertuples()):
        for option in (item.answer, *json.loads(item.distractors)):
            texts.append([*item.prompt.split(), option])
            owner.append(number)
    image_ids = [items["image_id"].iloc[number] for number in owner]
    values = word_values(model, tokenizer, texts, image_ids, images)
    last = pd.DataFrame(
        {
            "owner": owner,
            "seen": [v.surprisal[-1] for v in values],
            "blind": [v.surprisal_no_image[-1] for v in values],
        }
    )
    best = last.groupby("owner").agg(lambda column: float(column.iloc[0] < column.iloc[1:].min()))
    answers = [values[number] for number in last.drop_duplicates("owner").index]
    layers = len(answers[0].gates)
    return pd.DataFrame(
        {
            "source": "probe",
            "item_id": items["item_id"],
            "image_id": items["image_id"],
            "position": [len(v.pieces) - 1 for v in answers],
            "word": items["answer"],
            "pos": items["pos"],
            "pieces": [int(v.pieces[-1]) for v in answers],
            **{
                f"gate_{layer}": np.array([v.gates[layer, -1] for v in answers], dtype=np.float32)
                for layer in range(layers)
            },
            "gate_sd": np.array([v.gate_sd[-1] for v in answers], dtype=np.float32),
            "surprisal": [v.surprisal[-1] for v in answers],
            "surprisal_no_image": [v.surprisal_no_image[-1] for v in answers],
            "condition": items["condition"],
            "correct": best["seen"].to_numpy(),
            "correct_no_image": best["blind"].to_numpy(),
        }
    )


def _texts(dataset: CanonicalSet) -> list[str]:
    return dataset.split("train")[text_column(dataset)].tolist()


def _open(job: Job, name: str) -> CanonicalSet:
    return CanonicalSet.open(job.layout.dataset(name))
