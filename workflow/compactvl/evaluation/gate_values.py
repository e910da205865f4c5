"""The predictions table of a gates benchmark, from the gate values a model gives words."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.evaluation.language_requests import spread_evenly

if TYPE_CHECKING:
    from compactvl.evaluation.benchmarks.gates import GateReader


@dataclass(frozen=True)
class WordValues:
    """Values of each word of a text, in order.

    Attributes:
        pieces: (W,) int, sub-word pieces. gates: (layers, W), g averaged over features and pieces; g → 1 is text.
        gate_sd: (W,) standard deviation of the last layer's g over features, averaged over pieces.
        surprisal, surprisal_no_image: (W,) −log P of the word, in nats.
    """

    pieces: np.ndarray
    gates: np.ndarray
    gate_sd: np.ndarray
    surprisal: np.ndarray
    surprisal_no_image: np.ndarray


def caption_gates(model: "GateReader", dataset: CanonicalSet, split: str, max_items: int | None) -> pd.DataFrame:
    """Return one row a word of the captions of a split."""
    items = dataset.split(split)
    items = items.iloc[spread_evenly(items["item_id"], max_items)]
    texts = [caption.split() for caption in items["caption"]]
    values = model.word_values(texts, items["image_id"].tolist(), dataset.name)
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


def probe_gates(model: "GateReader", items: pd.DataFrame, images: str) -> pd.DataFrame:
    """Return one row a probe item: the gate where its answer is predicted, and whether the answer beats its distractors.

    Args:
        items: image_id, prompt, answer, distractors (JSON list), condition, pos. images: data set of the images.
    """
    texts, owner = [], []
    for number, item in enumerate(items.itertuples()):
        for option in (item.answer, *json.loads(item.distractors)):
            texts.append([*item.prompt.split(), option])
            owner.append(number)
    values = model.word_values(texts, [items["image_id"].iloc[number] for number in owner], images)
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
