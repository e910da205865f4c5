"""ViLT (Kim et al. 2021): pre-norm layers, patches of pixels with interpolated positions, and its published weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.errors import UserError
from compactvl.nn.attention import attend

NORM_EPS = 1e-6


class PreNormLayer(nn.Module):
    """Self-attention and feed-forward, each on the normalised input and added to it.

    Args:
        width: d. heads: of attention. hidden: width of the feed-forward layer.
    """

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None,
        dropout: float = 0.0,
        row: int | None = None,
        keep: list[tuple[Tensor, Tensor]] | None = None,
    ) -> Tensor:
        """Return the layer's output; the arguments are those of :class:`compactvl.nn.bert.BertLayer`.

        Dropout acts on what is added, not on attention weights (ViLT, released code).
        """
        batch, _, width = x.shape
        split = (batch, -1, self.heads, width // self.heads)
        parts = self.qkv(self.attention_norm(x)).chunk(3, dim=-1)
        query, key, value = (part.reshape(split).transpose(1, 2) for part in parts)
        if keep is not None:
            keep.append((query, key))
        if row is not None:
            x, query = x[:, row : row + 1], query[:, :, row : row + 1]
        mixed = attend(query, key, value, bias).transpose(1, 2).reshape(batch, -1, width)
        x = x + F.dropout(self.out(mixed), dropout, self.training)
        hidden = F.dropout(F.gelu(self.up(self.norm(x))), dropout, self.training)
        return x + F.dropout(self.down(hidden), dropout, self.training)


class PatchEmbedding(nn.Module):
    """A [CLS] vector and an image's patches, each with its position.

    Args:
        width: d. patch: a patch's side in pixels. grid: rows, and columns, of the position table.
    """

    def __init__(self, width: int, patch: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.projection = nn.Conv2d(3, width, patch, stride=patch)
        self.position = nn.Parameter(torch.zeros(1, 1 + grid * grid, width))

    def forward(self, pixels: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Embed a batch of images; patches stay in the order of rows.

        Args:
            pixels: float32 (B, 3, H, W), sides multiples of the patch's.
            mask: (B, H, W) bool, true where there is an image, in its upper left corner; ``None``: everywhere.

        Returns:
            (B, 1 + P, d), and a (B, 1 + P) bool that is true for [CLS] and for patches of the image.
        """
        x = self.projection(pixels)
        batch, _, rows, columns = x.shape
        side = self.projection.stride[0]
        if mask is None:
            mask = torch.ones(batch, rows, columns, dtype=torch.bool, device=x.device)
        else:
            mask = mask[:, ::side, ::side]
        table = self.position[:, 1:].transpose(1, 2).unflatten(2, (self.grid, self.grid))
        sizes = [tuple(size) for size in torch.stack([mask[:, :, 0].sum(1), mask[:, 0].sum(1)], 1).cpu().tolist()]
        fitted = {
            (h, w): F.pad(
                F.interpolate(table, size=(h, w), mode="bilinear", align_corners=True), (0, columns - w, 0, rows - h)
            )
            for h, w in set(sizes)
        }
        x = (x + torch.cat([fitted[size] for size in sizes])).flatten(2).transpose(1, 2)
        cls = (self.cls + self.position[:, :1]).expand(batch, -1, -1).to(x.dtype)
        there = torch.ones(batch, 1, dtype=torch.bool, device=x.device)
        return torch.cat([cls, x], 1), torch.cat([there, mask.flatten(1)], 1)


def from_transformers(state: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Convert ``transformers.ViltModel``'s weights to those of a stack of text and patches
    (:class:`compactvl.studies.dide.stack.Stack`), keeping the first ``layers`` layers.

    Where they know two modalities, the third row (a second image) is a copy of the second's (DiDE, released code).

    Args:
        state: keys as in ``ViltModel.state_dict()``, with or without the prefix ``vilt.``.

    Raises:
        UserError: a weight is missing.
    """
    state = {key.removeprefix("vilt."): value for key, value in state.items()}

    def take(key: str) -> Tensor:
        if key not in state:
            raise UserError(f"ViLT weights lack {key!r}; they are not a ViLT of at least {layers} layers")
        return state[key]

    modality = take("embeddings.token_type_embeddings.weight")
    result = {
        "text.word.weight": take("embeddings.text_embeddings.word_embeddings.weight"),
        "text.position.weight": take("embeddings.text_embeddings.position_embeddings.weight"),
        "text.segment.weight": take("embeddings.text_embeddings.token_type_embeddings.weight"),
        "text.norm.weight": take("embeddings.text_embeddings.LayerNorm.weight"),
        "text.norm.bias": take("embeddings.text_embeddings.LayerNorm.bias"),
        "image.cls": take("embeddings.cls_token"),
        "image.position": take("embeddings.position_embeddings"),
        "modality.weight": torch.cat([modality, modality[1:2]]) if len(modality) == 2 else modality,
    }
    names = {
        "attention_norm": "layernorm_before",
        "out": "attention.output.dense",
        "norm": "layernorm_after",
        "up": "intermediate.dense",
        "down": "output.dense",
    }
    for kind in ("weight", "bias"):
        result[f"image.projection.{kind}"] = take(f"embeddings.patch_embeddings.projection.{kind}")
        result[f"norm.{kind}"] = take(f"layernorm.{kind}")
        result[f"pooler.{kind}"] = take(f"pooler.dense.{kind}")
        for index in range(layers):
            theirs, ours = f"encoder.layer.{index}", f"layers.{index}"
            parts = [take(f"{theirs}.attention.attention.{part}.{kind}") for part in ("query", "key", "value")]
            result[f"{ours}.qkv.{kind}"] = torch.cat(parts)
            for name, source in names.items():
                result[f"{ours}.{name}.{kind}"] = take(f"{theirs}.{source}.{kind}")
    return result
