"""The dual-stream decoder: a causal language model that may look at an image at every position (paper: base model)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.multihead import MultiHeadAttention
from compactvl.studies.gating.gates import build_gate
from compactvl.studies.gating.image_encoder import ImageEncoder
from compactvl.studies.gating.modulation import MODULATIONS
from compactvl.studies.gating.objectives import ClipHead, LcgHead
from compactvl.studies.gating.settings import Decoder, Modes, Modulation, Shape
from compactvl.text.batches import TokenBatch


@dataclass(frozen=True)
class Seen:
    """Images as the decoder sees them.

    Attributes:
        vectors: (B, N, d); or (B, L, d), one vector a position, where ``aligned``.
        aligned: whether each position has an image vector of its own (modulation on the image by the words so far).
    """

    vectors: Tensor
    aligned: bool = False

    @property
    def condition(self) -> Tensor:
        """What modulation reads of the image: (B, 1, d), or (B, L, d) where aligned."""
        return self.vectors if self.aligned else self.vectors.mean(1, keepdim=True)


class DecoderLayer(nn.Module):
    """x += SA(LN₁ x); with an image x += Gate(h, c), h = LN₂ x, c = CA(h, image); x += FF(LN₃ x). All with dropout."""

    def __init__(self, shape: Shape, gate: str, modulation: Modulation | None, modes: Modes) -> None:
        super().__init__()
        width, stays_random = shape.width, modes.hard_gates == "released"
        self.norm_1, self.norm_2, self.norm_3 = (nn.LayerNorm(width) for _ in range(3))
        self.self_attention = MultiHeadAttention(width, shape.heads, shape.dropout)
        self.cross_attention = MultiHeadAttention(width, shape.heads, shape.dropout)
        self.up, self.down = nn.Linear(width, shape.feedforward), nn.Linear(shape.feedforward, width)
        self.gate = build_gate(gate, width, shape.dropout, stays_random)
        self.place = modulation.place if modulation is not None and modulation.place != "image" else None
        self.modulation = MODULATIONS[modulation.kind](width) if self.place else None
        self.dropout = nn.Dropout(shape.dropout)
        self.dropout_twice = modes.feedforward == "released"

    def forward(self, x: Tensor, bias: Tensor, seen: Seen | None, temperature: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the next layer's input (B, L, d), and g (B, L, d or 1) where there are an image and a gate."""
        x = x + self.dropout(self.self_attention(self.norm_1(x), bias=bias))
        g = None
        if seen is not None:
            h = self.norm_2(x)
            c = self.dropout(self.cross_attention(h, seen.vectors, aligned=seen.aligned))
            if self.place == "text":
                h = self.modulation(h, seen.condition)
            elif self.place == "cross_attention":
                c = self.modulation(c, seen.condition)
            if self.gate is None:
                x = x + c
            else:
                mixed, g = self.gate(h, c, temperature)
                x = x + mixed
        inner = self.dropout(F.gelu(self.up(self.norm_3(x))))
        out = self.dropout(self.down(inner))
        return x + (self.dropout(out) if self.dropout_twice else out), g


class GatedDecoder(nn.Module):
    """Everything with weights of a ``decoder`` variant.

    ``temperature`` is the Gumbel temperature, in the checkpoint unless ``modes.temperature`` is ``released``.

    Args:
        settings: the variant. vocabulary: entries of the tokenizer.
    """

    def __init__(self, settings: Decoder, vocabulary: int) -> None:
        super().__init__()
        shape, modes = settings.shape, settings.modes
        self.settings, self.vocabulary = settings, vocabulary
        self.words = nn.Embedding(vocabulary, shape.width)
        self.positions = nn.Embedding(shape.length, shape.width)
        self.norm = nn.LayerNorm(shape.width)
        self.dropout = nn.Dropout(shape.dropout)
        if shape.embedding_std is not None:
            nn.init.normal_(self.words.weight, std=shape.embedding_std)
            nn.init.normal_(self.positions.weight, std=shape.embedding_std)
        self.image_encoder = ImageEncoder(settings.image, shape, modes.image_layers == "released")
        on_image = settings.modulation is not None and settings.modulation.place == "image"
        self.image_modulation = MODULATIONS[settings.modulation.kind](shape.width) if on_image else None
        self.layers = nn.ModuleList(
            DecoderLayer(shape, settings.gate, settings.modulation, modes) for _ in range(shape.layers)
        )
        self.as_lcg = bool(settings.auxiliary.lcg) and modes.lcg == "released"
        output = nn.Linear(shape.width, vocabulary)
        self.output_bias = output.bias if self.as_lcg else None
        self.output = None if self.as_lcg else output
        self.clip = ClipHead(shape.width) if settings.auxiliary.clip else None
        self.lcg = LcgHead(shape.width, modes.lcg) if settings.auxiliary.lcg else None
        persistent = modes.temperature == "paper"
        self.register_buffer("temperature", torch.tensor(settings.temperature[0]), persistent=persistent)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.words.weight.device

    def image_side(self) -> list[nn.Parameter]:
        """Parameters that texts without images do not use."""
        parts = [self.image_encoder, self.image_modulation, self.clip, self.lcg]
        for layer in self.layers:
            parts += [layer.norm_2, layer.cross_attention, layer.gate, layer.modulation]
        return [parameter for part in parts if part is not None for parameter in part.parameters()]

    def embed(self, tokens: TokenBatch) -> Tensor:
        """LN(Drop(√d · word + position)): (B, L, d)."""
        count = tokens.ids.shape[1]
        x = self.words(tokens.ids) * self.words.embedding_dim**0.5 + self.positions.weight[:count]
        return self.norm(self.dropout(x))

    def see(self, vectors: Tensor, tokens: TokenBatch, embedded: Tensor) -> Seen:
        """Encode images for a batch.

        Args:
            vectors: (B, N, image width) of the store. tokens: the texts. embedded: their :meth:`embed`.
        """
        if self.image_modulation is None:
            return Seen(self.image_encoder(vectors))
        modes, kind = self.settings.modes, self.settings.modulation.kind
        aligned = modes.image_conditioning == "paper"
        condition = prefix_mean(embedded) if aligned else masked_mean(embedded, tokens.mask)[:, None]
        if kind == "dyintra" and modes.dyintra_image == "released":
            # Every caption batch has a padding mask, and with one the release returns the image as it was.
            return Seen(self.image_encoder(vectors))
        if not aligned:
            return Seen(self.image_encoder(vectors, lambda x: self.image_modulation(x, condition)))
        batch, count = condition.shape[:2]

        def modulate(x: Tensor) -> Tensor:
            return self.image_modulation(x, condition).flatten(0, 1)[:, None]

        return Seen(self.image_encoder(vectors, modulate).view(batch, count, -1), aligned=True)

    def forward(self, tokens: TokenBatch, vectors: Tensor | None = None) -> "Hidden":
        """Run the decoder.

        Args:
            tokens: [BOS] text. vectors: (B, N, image width), or ``None`` for text alone.
        """
        embedded = x = self.embed(tokens)
        seen = None if vectors is None else self.see(vectors, tokens, embedded)
        bias = causal_bias(tokens.ids.shape[1], x.device)
        gates = []
        for number, layer in enumerate(self.layers):
            if self.as_lcg and number == 0:
                x, _ = layer(x, bias, None, self.temperature)
                g = None if seen is None or layer.gate is None else x.new_ones(*x.shape[:2], 1)  # all text
            else:
                x, g = layer(x, bias, seen, self.temperature)
            gates.append(g)
        return Hidden(x, embedded, seen, gates)

    def logits(self, states: Tensor) -> Tensor:
        """Scores of all words: (..., d) → (..., vocabulary)."""
        return F.linear(states, self.words.weight, self.output_bias) if self.output is None else self.output(states)


@dataclass(frozen=True)
class Hidden:
    """What the decoder gives: last layer's output and embeddings (B, L, d), the images, and each layer's g or ``None``."""

    states: Tensor
    embedded: Tensor
    seen: Seen | None
    gates: list[Tensor | None]


def causal_bias(count: int, device: torch.device | str) -> Tensor:
    """Additive (L, L) mask. Padding is on the right, so being causal already hides it from every token."""
    return torch.full((count, count), torch.finfo(torch.bfloat16).min, device=device).triu(1)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that are there: (B, L, d), (B, L) → (B, d)."""
    weights = mask[..., None].to(x.dtype)
    return (x * weights).sum(1) / weights.sum(1)


def prefix_mean(x: Tensor) -> Tensor:
    """Mean of each position and those before it: (B, L, d) → (B, L, d)."""
    return x.cumsum(1) / torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype)[:, None]


def next_token_loss(model: GatedDecoder, hidden: Hidden, tokens: TokenBatch) -> tuple[Tensor, int]:
    """Mean cross-entropy of the next token, and the number of tokens predicted.

    With ``modes.ignore_index: released`` targets of id 0 are left out, which in GPT-2's vocabulary is the word "!".
    """
    wanted = tokens.mask[:, 1:]
    if model.settings.modes.ignore_index == "released":
        wanted = wanted & (tokens.ids[:, 1:] != 0)
    logits = model.logits(hidden.states[:, :-1][wanted])
    return F.cross_entropy(logits.float(), tokens.ids[:, 1:][wanted]), int(wanted.sum())
