"""Which batch comes at which step (paper: training; open question 3)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from compactvl.studies.gating.settings import Curriculum

Kind = Literal["text", "caption", "both"]


@dataclass(frozen=True)
class Schedule:
    """The steps of a training.

    Attributes:
        steps: what each step trains on.
        text, caption: number of the text (caption) batch a step takes, counted from 0 over the whole training; −1: none.
        boundaries: step counts at which an epoch ends, ascending.
    """

    steps: tuple[Kind, ...]
    text: tuple[int, ...]
    caption: tuple[int, ...]
    boundaries: tuple[int, ...]

    @cached_property
    def caption_steps(self) -> int:
        """Steps with a caption batch."""
        return sum(number >= 0 for number in self.caption)


def build_schedule(curriculum: Curriculum, text_batches: int, caption_batches: int, seed: int) -> Schedule:
    """Lay out a curriculum.

    ``epochs`` epochs of text and as many of captions, in all kinds but two: ``captions_only`` gives the steps of the
    texts to the captions as well, and ``text_only`` has no captions. ``mixed`` takes one batch of each a step until the
    longer of the two is used up, the shorter one from its beginning again.

    Args:
        text_batches, caption_batches: batches an epoch. seed: of the order of ``mixed_shuffled``.
    """
    kind, epochs = curriculum.kind, curriculum.epochs
    text, caption = ["text"] * text_batches, ["caption"] * caption_batches
    if kind == "alternating":
        blocks = [text, caption] if curriculum.first == "text" else [caption, text]
        parts = blocks * epochs
    elif kind == "text_then_caption":
        parts = [text] * epochs + [caption] * epochs
    elif kind == "caption_then_text":
        parts = [caption] * epochs + [text] * epochs
    elif kind == "mixed":
        parts = [["both"] * max(text_batches, caption_batches)] * epochs
    elif kind == "mixed_shuffled":
        rng = np.random.default_rng([seed, 23])
        parts = [list(rng.permutation(text + caption)) for _ in range(epochs)]
    elif kind == "captions_only":
        parts = [["caption"] * (text_batches + caption_batches)] * epochs
    else:
        parts = [text] * epochs
    steps = tuple(str(step) for part in parts for step in part)
    texts = np.cumsum([step in ("text", "both") for step in steps])
    captions = np.cumsum([step in ("caption", "both") for step in steps])
    return Schedule(
        steps,
        tuple(int(n) - 1 if step != "caption" else -1 for step, n in zip(steps, texts, strict=True)),
        tuple(int(n) - 1 if step != "text" else -1 for step, n in zip(steps, captions, strict=True)),
        tuple(int(n) for n in np.cumsum([len(part) for part in parts])),
    )


def gumbel_temperature(caption_step: int, caption_steps: int, first: float, last: float, share: float) -> float:
    """Linear from ``first`` to ``last`` over ``share`` of the caption steps, then ``last`` (paper: 1 → 0.1, 80%).

    Args:
        caption_step: 0-based number of the caption step.
    """
    progress = min(1.0, caption_step / max(1.0, share * caption_steps))
    return first + (last - first) * progress
