"""What a teacher says and looks at, and how far a student's attention is from it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compactvl.nn.compute import autocast
from compactvl.progress import track
from compactvl.studies.dide.images import ImageBatch, Images
from compactvl.studies.dide.model import Attended, FusionEncoder
from compactvl.studies.dide.objectives import attention_distillation, cross_maps
from compactvl.studies.dide.settings import Attention
from compactvl.studies.items import Items
from compactvl.text.batches import TokenBatch, batches_by_length

BLOCK = 64
Maps = list[list[tuple[Tensor, Tensor]]]
"""For each of an item's images, for each layer: attention in both directions (:func:`cross_maps`)."""


def watched(attention: Attention, layers: int) -> tuple[int, ...]:
    """Numbers of the layers whose attention is distilled, from 0, in a trunk of so many; none where it has no weight."""
    return tuple(sorted({layer % layers for layer in attention.layers})) if attention.weight else ()


def maps_of(attended: Attended, texts: TokenBatch) -> Maps:
    """Turn queries and keys into attention."""
    return [
        [cross_maps(text[layer], image[layer], (texts.mask, there)) for layer in attended.layers]
        for text, image, there in zip(attended.text, attended.image, attended.there, strict=True)
    ]


def distil(student: Attended, teacher: Maps, texts: TokenBatch, queries: str) -> Tensor:
    """Mean over layers of :func:`attention_distillation`, summed over an item's images.

    Args:
        student: of the texts and images the teacher saw. teacher: its attention. queries: ``real`` or ``all``.

    Raises:
        ValueError: they see different numbers of places.
    """
    total = torch.zeros((), device=texts.ids.device)
    for learned, taught, there in zip(maps_of(student, texts), teacher, student.there, strict=True):
        for one, other in zip(learned, taught, strict=True):
            if one[0].shape != other[0].shape:
                raise ValueError(
                    f"student and teacher must see the same places, not {one[0].shape} and {other[0].shape}"
                )
            total = total + attention_distillation(one, other, (texts.mask, there), queries)
    return total / len(student.layers)


class Teacher:
    """A fusion encoder's answers and attention.

    Args:
        model: frozen, in evaluation mode. layers: whose attention is asked for.
    """

    def __init__(self, model: FusionEncoder, layers: Sequence[int]) -> None:
        self.model, self.layers = model, layers

    @torch.no_grad()
    def __call__(
        self, rows: Sequence[int], texts: TokenBatch, images: Sequence[ImageBatch], place: Tensor | None
    ) -> tuple[Tensor, Maps]:
        """Return logits (B, answers) and attention for a batch of items; ``rows``: their numbers."""
        attended = Attended(self.layers)
        logits = self.model(texts, images, place, attended if self.layers else None)
        return logits, maps_of(attended, texts)


class RememberedTeacher(Teacher):
    """The same, computed once for every item, for images that are the same every time. Attention is kept in half precision."""

    def __init__(self, model: FusionEncoder, layers: Sequence[int], items: Items, images: Images, label: str) -> None:
        super().__init__(model, layers)
        longest, many = max(map(len, items.ids)), items.images.shape[1]
        self._logits, self._maps = torch.zeros(len(items.ids), model.settings.answers), []
        for batch in track(batches_by_length([len(row) for row in items.ids], rows=BLOCK), unit="block", label=label):
            texts, read = items.texts(batch), [images.read(list(ids)) for ids in items.images[batch].T]
            with autocast(model.device, model.settings.precision):
                logits, maps = super().__call__(batch, texts, read, None)
            rows, length = torch.from_numpy(batch), texts.ids.shape[1]
            self._logits[rows] = logits.float().cpu()
            if not self._maps and layers:
                heads, _, places = maps[0][0][0].shape[1:]
                shapes = [(len(items.ids), heads, longest, places), (len(items.ids), heads, places, longest)]
                self._maps = [
                    [[torch.zeros(shape, dtype=torch.half) for shape in shapes] for _ in layers] for _ in range(many)
                ]
            for kept, found in zip(self._maps, maps, strict=False):
                for (forth, back), (forward, backward) in zip(kept, found, strict=True):
                    forth[rows, :, :length], back[rows, :, :, :length] = forward.half().cpu(), backward.half().cpu()

    def __call__(
        self, rows: Sequence[int], texts: TokenBatch, images: Sequence[ImageBatch], place: Tensor | None
    ) -> tuple[Tensor, Maps]:
        """See :class:`Teacher`."""
        rows, length, device = torch.as_tensor(rows), texts.ids.shape[1], texts.ids.device
        maps = [
            [
                (forth[rows, :, :length].to(device).float(), back[rows, :, :, :length].to(device).float())
                for forth, back in of_image
            ]
            for of_image in self._maps
        ]
        return self._logits[rows].to(device), maps
