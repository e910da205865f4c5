"""The model: an adapter an encoder, their outputs joined place by place, a projector, a reader, a head a data set.

tokens of each encoder → standardised or whitened → adapter (Linear · GELU) ─┐
                                                          joined → projector (Linear · GELU · Linear) → reader → head
question ────────────────────────────────────────────────────────────────────────────────────────────────┘
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.bert import HEAD_WIDTH, MASKED, BertEmbeddings, BertLayer, BertShape
from compactvl.nn.multihead import MultiHeadAttention
from compactvl.studies.base import Peers
from compactvl.studies.encoder_roles.settings import Attention, Subset, Whitening
from compactvl.text.batches import TokenBatch


class Whitener(nn.Module):
    """Centre vectors, turn them to principal directions and even out their sizes; fitted once, then fixed.

    Args:
        width: of the vectors. settings: see :class:`Whitening`.
    """

    def __init__(self, width: int, settings: Whitening) -> None:
        super().__init__()
        self.settings = settings
        self.out = width if settings.components is None else min(width, settings.components)
        self.register_buffer("mean", torch.zeros(width))
        turned = settings.components is not None
        self.register_buffer("basis", torch.zeros(width, self.out) if turned else torch.ones(width))

    @torch.no_grad()
    def fit(self, vectors: Tensor) -> None:
        """Fit to vectors (N, d): of variance λ a direction is divided by λ^(strength / 2); then all by one number.

        That number makes the mean variance 1.
        """
        vectors = vectors.double()
        mean = vectors.mean(0)
        centred, half = vectors - mean, self.settings.strength / 2
        if self.settings.components is None:
            variance = centred.square().mean(0).clamp_min(1e-12)
            scale = variance**-half
            basis = scale / (variance * scale**2).mean().sqrt()
        else:
            variance, directions = torch.linalg.eigh(centred.T @ centred / len(centred))
            variance, directions = variance.flip(0)[: self.out].clamp_min(1e-12), directions.flip(1)[:, : self.out]
            # A direction's sign is the library's choice: the largest entry is made positive.
            signs = directions.gather(0, directions.abs().argmax(0)[None]).sign()
            scale = variance**-half
            basis = directions * signs * scale / (variance * scale**2).mean().sqrt()
        self.mean.copy_(mean)
        self.basis.copy_(basis)

    def forward(self, vectors: Tensor) -> Tensor:
        """(..., d) → (..., out)."""
        centred = vectors - self.mean
        return centred @ self.basis if self.basis.ndim == 2 else centred * self.basis


class Aggregator(nn.Module):
    """A learned query for every place attends to what the encoders give there (Cambrian-1's spatial vision aggregator).

    What it gives is as wide as one adapter's output, however many encoders there are.
    """

    def __init__(self, width: int, places: int, heads: int = 4) -> None:
        super().__init__()
        self.query = nn.Parameter(0.02 * torch.randn(places, 1, width))
        self.attention = MultiHeadAttention(width, heads)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> Tensor:
        """(B, encoders, places, width) → (B, places, width)."""
        source = features.permute(0, 2, 1, 3)
        query = self.query.expand(len(source), -1, -1, -1)
        mixed = self.attention(query.flatten(0, 1), source.flatten(0, 1))
        return self.norm((query.flatten(0, 1) + mixed)[:, 0]).unflatten(0, source.shape[:2])


class AttentionReader(nn.Module):
    """The question's vector, after one look at the image's tokens."""

    def __init__(self, settings: Subset) -> None:
        super().__init__()
        width, reader = settings.width, settings.reader
        self.whitener = Whitener(settings.text_width, settings.text_whitening)
        self.question = nn.Linear(self.whitener.out, width)
        self.norm_question, self.norm, self.norm_out = (nn.LayerNorm(width) for _ in range(3))
        self.attention = MultiHeadAttention(width, reader.heads) if settings.encoders else None
        self.mlp = nn.Sequential(nn.Linear(width, reader.hidden), nn.GELU(), nn.Linear(reader.hidden, width))

    def forward(self, questions: Tensor, tokens: Tensor | None, place: Tensor) -> Tensor:
        """Read: vectors (B, d_t), tokens (I, places, d) of images, place (B,) of each question's image → (B, d)."""
        x = self.question(self.whitener(questions))
        if tokens is not None:
            x = x + self.attention(self.norm_question(x)[:, None], tokens[place])[:, 0]
        return self.norm_out(x + self.mlp(self.norm(x)))


class LanguageReader(nn.Module):
    """BERT's layers over the image's tokens and the question's words; what stands at [CLS] answers."""

    def __init__(self, settings: Subset) -> None:
        super().__init__()
        reader, width = settings.reader, settings.width
        shape = BertShape(width=width, heads=width // HEAD_WIDTH, hidden=4 * width)
        self.dropout = reader.dropout
        self.embeddings = BertEmbeddings(shape)
        self.layers = nn.ModuleList(BertLayer(shape) for _ in range(reader.layers))

    def forward(self, questions: TokenBatch, tokens: Tensor | None, place: Tensor) -> Tensor:
        """Read: word pieces (B, L), tokens (I, places, d) of images, place (B,) of each question's image → (B, d)."""
        ids, mask = questions.ids, questions.mask
        positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        x = self.embeddings(self.embeddings.word(ids), positions, torch.zeros_like(ids))
        if tokens is not None:
            x = torch.cat([x, tokens[place].to(x.dtype)], 1)
            mask = torch.cat([mask, mask.new_ones(len(mask), tokens.shape[1])], 1)
        bias = torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, MASKED)[:, None, None, :]
        for number, layer in enumerate(self.layers):
            x = layer(x, bias, self.dropout, 0 if number == len(self.layers) - 1 else None)
        return x[:, 0]


class RolesModel(nn.Module):
    """See the module.

    Args:
        settings: the variant's.
    """

    def __init__(self, settings: Subset) -> None:
        super().__init__()
        self.settings = settings
        places, names = settings.grid**2, list(settings.encoders)
        self.whiteners = nn.ModuleDict({name: Whitener(settings.encoders[name], settings.whitening) for name in names})
        self.adapters = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(self.whiteners[name].out, settings.channels), nn.GELU()) for name in names}
        )
        self.aggregator = Aggregator(settings.channels, places) if names and settings.fusion == "aggregator" else None
        joined = settings.channels * (1 if self.aggregator is not None else len(names))
        attention = isinstance(settings.reader, Attention)
        self.reader = AttentionReader(settings) if attention else LanguageReader(settings)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(settings.width, one.answers) for name, one in settings.sets.items()}
        )
        self.projector = self.position = self.norm = None
        if names:
            self.position = nn.Parameter(0.02 * torch.randn(1, places, settings.width))
            self.norm = nn.LayerNorm(settings.width)
            hidden = settings.hidden
            if settings.parameters is not None:
                # Linear(joined → h) · GELU · Linear(h → width) has h (joined + 1 + width) + width parameters.
                fixed = sum(p.numel() for p in self.parameters()) + settings.width
                hidden = max(1, round((settings.parameters - fixed) / (joined + 1 + settings.width)))
            self.projector = nn.Sequential(nn.Linear(joined, hidden), nn.GELU(), nn.Linear(hidden, settings.width))
            self.register_buffer("mean_features", torch.zeros(len(names), places, settings.channels))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    def features(self, tokens: Mapping[str, Tensor]) -> Tensor | None:
        """Return what the adapters give, before they are joined.

        Args:
            tokens: encoder → whitened tokens (B, places, d_e).

        Returns:
            (B, encoders, places, channels); ``None`` of a blind model.
        """
        if self.projector is None:
            return None
        return torch.stack([self.adapters[name](tokens[name]) for name in self.settings.encoders], 1)

    def project(self, features: Tensor | None) -> Tensor | None:
        """Join features and project them: (B, places, width)."""
        if features is None:
            return None
        if self.aggregator is not None:
            joined = self.aggregator(features)
        else:
            joined = features.permute(0, 2, 1, 3).flatten(2)
        if self.training and self.settings.channel_dropout:
            kept = torch.ones(len(joined), 1, joined.shape[2], device=joined.device)
            joined = joined * F.dropout(kept, self.settings.channel_dropout)
        return self.norm(self.projector(joined) + self.position)


def mask_features(model: RolesModel, features: Tensor, kept: Sequence[str], fill: str) -> Tensor:
    """Replace the features of all encoders but ``kept``: by ``zero``, or by their ``mean`` over the training images."""
    there = torch.tensor([name in kept for name in model.settings.encoders], device=features.device)
    other = model.mean_features if fill == "mean" else torch.zeros_like(model.mean_features)
    return torch.where(there[:, None, None], features, other)


def count_parameters(settings: Subset, peers: Peers) -> Sequence[tuple[str, int]]:
    """(part, parameters) of a variant, its encoders left out."""
    with torch.device("meta"):
        model = RolesModel(settings)
    parts = {"adapters": [model.adapters, model.aggregator], "projector": [model.projector, model.norm, model.position]}
    parts |= {"reader": [model.reader], "heads": [model.heads]}
    counts = {name: sum(_number(part) for part in own if part is not None) for name, own in parts.items()}
    return [(name, number) for name, number in counts.items() if number]


def _number(part: nn.Module | Tensor) -> int:
    return part.numel() if isinstance(part, Tensor) else sum(p.numel() for p in part.parameters())
