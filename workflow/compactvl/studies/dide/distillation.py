"""Cross-modal attention distillation over the layers and images of a batch."""

import torch
from torch import Tensor

from compactvl.studies.dide.model import Attended
from compactvl.studies.dide.objectives import attention_distillation
from compactvl.studies.dide.settings import Attention
from compactvl.text.batches import TokenBatch


def watched(attention: Attention, layers: int) -> tuple[int, ...]:
    """Numbers of the layers whose attention is distilled, from 0, in a trunk of so many."""
    return tuple(sorted({layer % layers for layer in attention.layers}))


def distil(student: Attended, teacher: Attended, texts: TokenBatch, queries: str) -> Tensor:
    """Mean over layers of :func:`attention_distillation`, summed over an item's images.

    Args:
        student, teacher: of the same texts and images, in the same layers. queries: ``real`` or ``all``.

    Raises:
        ValueError: they see different numbers of places.
    """
    total = torch.zeros((), device=texts.ids.device)
    for which, there in enumerate(teacher.there):
        if student.there[which].shape != there.shape:
            shapes = student.there[which].shape, there.shape
            raise ValueError("student and teacher must see the same places of an image, not {} and {}".format(*shapes))
        for layer in teacher.layers:
            sides = [(side.text[which][layer], side.image[which][layer]) for side in (student, teacher)]
            total = total + attention_distillation(*sides, (texts.mask, there), queries)
    return total / len(teacher.layers)
