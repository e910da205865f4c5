"""Training texts and captions as batches of token ids, drawn so that a batch needs little padding."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.text.bpe import TextTokenizer

BATCHES_A_POOL = 20


@dataclass
class Stream:
    """Texts with the image of each where it has one; batches of them in token ids.

    Attributes:
        texts: the texts. image_ids: as many, or none at all. tokenizer: makes ids of them, a batch at a time.
        longest: ids at most. batch: texts a batch. seed: of the order.
    """

    texts: list[str]
    image_ids: list[str]
    tokenizer: TextTokenizer
    longest: int
    batch: int
    seed: Sequence[int]
    _orders: dict[int, list[np.ndarray]] = field(default_factory=dict, repr=False)

    @property
    def batches(self) -> int:
        """Batches it takes to see each text once."""
        return -(-len(self.texts) // self.batch)

    def take(self, number: int) -> tuple[list[list[int]], list[str]]:
        """Return batch ``number`` of an endless stream that shows each text once before any comes again.

        Returns:
            [BOS] text [EOS] of each text, and its image where it has one.
        """
        passes, place = divmod(number, self.batches)
        if passes not in self._orders:
            self._orders = {passes: self._order(passes)}
        chosen = self._orders[passes][place]
        rows = self.tokenizer.encode([self.texts[i] for i in chosen], self.longest)
        return rows, [self.image_ids[i] for i in chosen] if self.image_ids else []

    def _order(self, passes: int) -> list[np.ndarray]:
        """Shuffle, sort pools of some batches by length in letters, cut them, shuffle the batches."""
        rng = np.random.default_rng([*self.seed, passes])
        order, lengths = rng.permutation(len(self.texts)), np.array([len(text) for text in self.texts])
        pools = [order[i : i + self.batch * BATCHES_A_POOL] for i in range(0, len(order), self.batch * BATCHES_A_POOL)]
        sorted_pools = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
        cut = [pool[i : i + self.batch] for pool in sorted_pools for i in range(0, len(pool), self.batch)]
        return [cut[i] for i in rng.permutation(len(cut))]


def joined(texts: Stream, captions: Stream) -> Stream:
    """Return texts and captions as one stream; a text has an empty image id."""
    image_ids = [*captions.image_ids, *[""] * len(texts.texts)]
    return replace(captions, texts=[*captions.texts, *texts.texts], image_ids=image_ids, _orders={})


def _unit(dataset: CanonicalSet, column: str) -> str:
    """Return the name of the column whose values are shared out."""
    if column == "caption":
        return "image_id"
    # A "document" of BabyLM's texts is one of six files: half of them would be other genres, not half of the data.
    return "item_id" if dataset.manifest.get("settings", {}).get("kind") == "text_lines" else "document"


def open_stream(
    datasets: Sequence[CanonicalSet],
    tokenizer: TextTokenizer,
    *,
    share: float,
    longest: int,
    batch: int,
    seed: int,
    split: str = "train",
) -> Stream:
    """Read the texts of data sets, and their images.

    Args:
        share: of the documents or images that are used, of the lines where documents are whole corpora (``text_lines``);
            a smaller share is part of a larger one.
        longest: tokens at most. seed: of the share and of the order.

    Raises:
        UserError: there is no text.
    """
    texts, image_ids = [], []
    for number, dataset in enumerate(datasets):
        items = dataset.split(split)
        column = dataset.text_column
        unit = items[_unit(dataset, column)]
        units = sorted(unit.unique())
        order = np.random.default_rng([seed, 31, number]).permutation(len(units))
        kept = {units[i] for i in order[: max(1, round(share * len(units)))]}
        items = items[unit.isin(kept).to_numpy()]
        texts += items[column].tolist()
        if column == "caption":
            image_ids += items["image_id"].tolist()
    if not texts:
        names = ", ".join(dataset.name for dataset in datasets)
        raise UserError(f"data sets {names}: no text in the split {split!r}; curate them with larger sizes")
    return Stream(texts, image_ids, tokenizer, longest, batch, (seed, 32, int(bool(image_ids))))
