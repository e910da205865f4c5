"""The guest's model."""

import math
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.studies.base import Peers
from compactvl.studies.guest.settings import WordBag


class WordBagModel(nn.Module):
    """Unit vectors of images and of captions: a linear map of features, and the mean of word vectors."""

    def __init__(self, settings: WordBag) -> None:
        super().__init__()
        self.image = nn.Linear(len(settings.features) * settings.width, settings.dim)
        self.words = nn.EmbeddingBag(settings.buckets, settings.dim, mode="mean")
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def embed_images(self, features: Tensor) -> Tensor:
        """(B, features) → (B, dim)."""
        return F.normalize(self.image(features), dim=-1)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Captions → (B, dim)."""
        bags = [[zlib.crc32(word.encode()) % self.words.num_embeddings for word in text.split()] for text in texts]
        offsets = torch.tensor([0, *(len(bag) for bag in bags[:-1])]).cumsum(0)
        rows = torch.tensor([row for bag in bags for row in bag])
        device = self.log_scale.device
        return F.normalize(self.words(rows.to(device), offsets.to(device)), dim=-1)


def count_parameters(settings: WordBag, peers: Peers) -> Sequence[tuple[str, int]]:
    """(part, number of parameters)."""
    with torch.device("meta"):
        model = WordBagModel(settings)
    return [("image map", sum(p.numel() for p in model.image.parameters())), ("words", model.words.weight.numel())]
