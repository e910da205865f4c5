"""DiDE's models (paper, section 3; sizes by the released code): the fusion encoder, the dual encoder, and their heads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.heads import INIT_STD, mlp
from compactvl.studies.dide.alignment import Alignment
from compactvl.studies.dide.images import ImageBatch
from compactvl.studies.dide.settings import Encoder
from compactvl.studies.dide.stack import Kept, Stack
from compactvl.text.batches import TokenBatch

QueryKey = tuple[Tensor, Tensor]
"""Queries and keys of one modality in one layer, each (B, heads, L, d / heads)."""


@dataclass
class Attended:
    """Queries and keys of some layers, as a forward pass leaves them: one entry an item's image (two for NLVR2).

    Attributes:
        layers: numbers of the layers, from 0.
        text, image: layer → queries and keys of the items' texts and of their images.
        there: (B, P) bool, which places of the image are no padding.
    """

    layers: Sequence[int]
    text: list[dict[int, QueryKey]] = field(default_factory=list)
    image: list[dict[int, QueryKey]] = field(default_factory=list)
    there: list[Tensor] = field(default_factory=list)

    def empty(self) -> dict[int, Kept]:
        """A list for each layer, for :meth:`Stack.encode` to fill."""
        return {layer: [] for layer in self.layers}

    def add(self, text: Mapping[int, QueryKey], image: Mapping[int, QueryKey], there: Tensor) -> None:
        """Add what was kept with one image of the items."""
        self.text.append(dict(text))
        self.image.append(dict(image))
        self.there.append(there)


class ShallowFusion(nn.Module):
    """Linear(2d → 2d) · LayerNorm · GELU · Linear(2d → d) on the pooled text and the pooled image."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = mlp(2 * width, 2 * width, width)

    def forward(self, text: Tensor, image: Tensor) -> Tensor:
        """(B, d), (B, d) → (B, d)."""
        return self.layers(torch.cat([text, image], -1))

    def all_pairs(self, texts: Tensor, images: Tensor) -> Tensor:
        """(T, d), (I, d) → (T, I, d): every text with every image.

        The first Linear of a concatenation is a sum of two, so it is computed once a text and once an image.
        """
        first, rest = self.layers[0], self.layers[1:]
        of_text, of_image = first.weight.chunk(2, 1)
        mixed = F.linear(texts, of_text, first.bias)[:, None] + F.linear(images, of_image)[None]
        return rest(mixed)


class Model(nn.Module):
    """What both encoders have: heads by what they are trained for.

    Args:
        settings: the variant's. answers: of its task; ``None`` for one that is trained on pairs.
    """

    def __init__(self, settings: Encoder, answers: int | None) -> None:
        super().__init__()
        width, self.settings = settings.trunk.width, settings
        self.head = self.matching = self.masked_words = None
        if answers is not None:
            self.head = mlp(2 * width, 2 * width, answers) if settings.image_pair else mlp(width, 2 * width, answers)
            nn.init.constant_(self.head[-1].bias, settings.last_bias)
        else:
            self.matching = nn.Linear(width, 1)
            self.masked_words = mlp(width, width, width)
            nn.init.normal_(self.matching.weight, std=INIT_STD)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    def word_logits(self, states: Tensor, words: Tensor, vocabulary: Tensor) -> Tensor:
        """Logits of masked words.

        Args:
            states: (N, d), fused at masked places. words: (rows, d), the word table.
            vocabulary: (V,) int64, rows that are chosen from.

        Returns:
            (N, V), dot products with word vectors.
        """
        return F.linear(self.masked_words(states), words[vocabulary])


class FusionEncoder(Model):
    """One stack over the text and the image together: the teacher."""

    def __init__(self, settings: Encoder, answers: int | None = None) -> None:
        super().__init__(settings, answers)
        self.stack = Stack(settings.trunk, settings.images)
        aligned = answers is None and settings.objectives.alignment > 0
        self.alignment = Alignment(settings.trunk.vocabulary) if aligned else None

    @property
    def words(self) -> Tensor:
        """The word table, (rows, d)."""
        return self.stack.text.word.weight

    def join(
        self, texts: TokenBatch, embedded: tuple[Tensor, Tensor], rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Put texts before images: (B, L + P, d), and a (B, L + P) bool, what is there.

        Args:
            texts: (B, L) ids. embedded: see :meth:`embed`.
            rows: (B,) int64, each text's image; ``None``: the one at its place.
        """
        image, there = embedded if rows is None else (part[rows] for part in embedded)
        return torch.cat([self.stack.embed_text(texts), image.float()], 1), torch.cat([texts.mask, there], 1)

    def pooled(
        self,
        texts: TokenBatch,
        embedded: tuple[Tensor, Tensor],
        rows: Tensor | None = None,
        attended: Attended | None = None,
    ) -> Tensor:
        """Read texts with images: (B, d). Arguments as :meth:`join`; ``attended`` receives queries and keys."""
        x, mask = self.join(texts, embedded, rows)
        keep, length = attended.empty() if attended else None, texts.ids.shape[1]
        found = self.stack.pool(x, mask, keep)
        if attended:
            parts = [
                {layer: tuple(one[:, :, cut] for one in kept[0]) for layer, kept in keep.items()}
                for cut in (slice(None, length), slice(length, None))
            ]
            attended.add(*parts, mask[:, length:])
        return found

    def embed(self, images: Sequence[ImageBatch]) -> list[tuple[Tensor, Tensor]]:
        """Embed items' first images, and their second ones: each (B, 1 + P, d), and a mask of what is there."""
        found = [self.stack.embed_image(batch, which) for which, batch in enumerate(images)]
        if getattr(self.settings, "blind", False):
            found = [(x[:, :1], mask[:, :1]) for x, mask in found]
        return found

    def forward(
        self,
        texts: TokenBatch,
        images: Sequence[ImageBatch],
        rows: Tensor | None = None,
        attended: Attended | None = None,
    ) -> Tensor:
        """Answer items.

        Args:
            texts: (B, L) ids. images: one batch, or two for items of two images.
            rows: (B,) int64, each item's image in each batch; ``None``: the one at its place.
            attended: receives queries and keys.

        Returns:
            Logits (B, answers).
        """
        return self.head(torch.cat([self.pooled(texts, one, rows, attended) for one in self.embed(images)], -1))


class DualEncoder(Model):
    """A stack for the text and one for the image, joined by the shallow fusion: the student.

    Each tower has the embeddings of its own modality only; layers and poolers are whole and apart.
    """

    def __init__(self, settings: Encoder, answers: int | None = None) -> None:
        super().__init__(settings, answers)
        trunk = settings.trunk
        self.text = Stack(trunk, None)
        self.image = Stack(trunk, settings.images, text=False)
        self.fusion = ShallowFusion(trunk.width)
        self.log_scale = nn.Parameter(torch.tensor(10.0).log()) if answers is None else None

    @property
    def words(self) -> Tensor:
        """The word table, (rows, d)."""
        return self.text.text.word.weight

    def text_features(self, texts: TokenBatch, keep: Mapping[int, Kept] | None = None) -> Tensor:
        """Pooled texts, (B, d)."""
        return self.text.pool(self.text.embed_text(texts), texts.mask, keep)

    def text_states(self, texts: TokenBatch) -> Tensor:
        """Every place of texts, as pooled: (B, L, d)."""
        return self.text.squash(self.text.encode(self.text.embed_text(texts), texts.mask))

    def image_features(
        self, images: ImageBatch, which: int = 0, keep: Mapping[int, Kept] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Pooled images, (B, d): what is cached; and (B, 1 + P) bool, which places are there.

        Args:
            which: whether they are items' first or second images (0, 1).
        """
        x, there = self.image.embed_image(images, which)
        return self.image.pool(x, there, keep), there

    def features(
        self,
        texts: TokenBatch,
        images: Sequence[ImageBatch],
        rows: Tensor | None = None,
        attended: Attended | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Pooled texts (B, d), and of each item its first, and its second image (B, d); arguments as :meth:`forward`."""
        rows = torch.arange(len(texts.ids), device=texts.ids.device) if rows is None else rows
        of_text = attended.empty() if attended else None
        text, found = self.text_features(texts, of_text), []
        for which, batch in enumerate(images):
            of_image = attended.empty() if attended else None
            image, there = self.image_features(batch, which, of_image)
            found.append(image[rows])
            if attended:
                attended.add(
                    {layer: kept[0] for layer, kept in of_text.items()},
                    {layer: tuple(one[rows] for one in kept[0]) for layer, kept in of_image.items()},
                    there[rows],
                )
        return text, found

    def answer(self, text: Tensor, images: Sequence[Tensor]) -> Tensor:
        """Logits (B, answers) from the pooled texts (B, d) and the items' pooled images, each (B, d)."""
        return self.head(torch.cat([self.fusion(text, image) for image in images], -1))

    def forward(
        self,
        texts: TokenBatch,
        images: Sequence[ImageBatch],
        rows: Tensor | None = None,
        attended: Attended | None = None,
    ) -> Tensor:
        """Answer items; as :meth:`FusionEncoder.forward`."""
        return self.answer(*self.features(texts, images, rows, attended))
