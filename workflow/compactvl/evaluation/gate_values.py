"""The predictions table of a gates benchmark, from the gate values a model gives words."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    """Return one row a word of the captions of a split.

    Raises:
        UserError: a caption has not one part of speech a word.
    """
    items = dataset.split(split)
    items = items.iloc[spread_evenly(items["item_id"], max_items)]
    texts = [caption.split() for caption in items["caption"]]
    values = model.word_values(texts, items["image_id"].tolist(), dataset.name)
    parts = []
    for item, words, found in zip(items.itertuples(), texts, values, strict=True):
        tags = getattr(item, "pos", "").split() or [""] * len(words)
        if len(tags) != len(words):
            raise UserError(
                f"data set {dataset.name!r}, item {item.item_id}: {len(tags)} parts of speech for {len(words)} words; "
                "they must match one to one"
            )
        # Words beyond the model's longest text have no values.
        count = len(found.pieces)
        parts.append(_rows("captions", item, words[:count], tags[:count], found))
    return pd.concat(parts, ignore_index=True).assign(condition="", correct=np.nan, correct_no_image=np.nan)


def probe_gates(model: "GateReader", items: pd.DataFrame, images: str) -> pd.DataFrame:
    """Return one row a probe item: the gate where its answer is predicted, and whether the answer beats its distractors.

    Args:
        items: image_id, prompt, answer, distractors (JSON list), condition, pos. images: data set of the images.
    """
    texts = [
        [[*item.prompt.split(), option] for option in (item.answer, *json.loads(item.distractors))]
        for item in items.itertuples()
    ]
    owners = [image_id for image_id, options in zip(items["image_id"], texts, strict=True) for _ in options]
    values = iter(model.word_values([text for options in texts for text in options], owners, images))
    parts, seen, blind = [], [], []
    for item, options in zip(items.itertuples(), texts, strict=True):
        answer, *others = (next(values) for _ in options)
        parts.append(_rows("probe", item, [item.answer], [item.pos], answer, first=len(answer.pieces) - 1))
        seen.append(float(all(answer.surprisal[-1] < one.surprisal[-1] for one in others)))
        blind.append(float(all(answer.surprisal_no_image[-1] < one.surprisal_no_image[-1] for one in others)))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(condition=items["condition"].to_numpy(), correct=seen, correct_no_image=blind)


def _rows(
    source: str, item: Any, words: Sequence[str], tags: Sequence[str], values: WordValues, first: int = 0
) -> pd.DataFrame:
    """Return one row a word; ``values`` has others before the ``first`` of them."""
    return pd.DataFrame(
        {
            "source": source,
            "item_id": item.item_id,
            "image_id": item.image_id,
            "position": np.arange(first, len(values.pieces)),
            "word": words,
            "pos": tags,
            "pieces": values.pieces[first:],
            **{f"gate_{layer}": gate[first:].astype(np.float32) for layer, gate in enumerate(values.gates)},
            "gate_sd": values.gate_sd[first:].astype(np.float32),
            "surprisal": values.surprisal[first:],
            "surprisal_no_image": values.surprisal_no_image[first:],
        }
    )
