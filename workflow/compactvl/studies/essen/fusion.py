"""LXMERT's cross-modal layer (Tan and Bansal 2019), by which two towers are joined."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.bert import MASKED, BertLayer, BertShape
from compactvl.nn.multihead import MultiHeadAttention
from compactvl.studies.essen.settings import Layers


class CrossModalLayer(nn.Module):
    """Cross-attention with weights that both directions share; then each modality's own self-attention and feed-forward.

    A layer of width H and hidden width F has 3 (4 (H² + H) + 2 H) + 2 (2 H F + F + H + 2 H) parameters.
    """

    def __init__(self, sizes: Layers, dropout: float) -> None:
        super().__init__()
        shape = BertShape(width=sizes.width, heads=sizes.heads, hidden=sizes.hidden)
        self.dropout = dropout
        self.cross = MultiHeadAttention(sizes.width, sizes.heads, dropout)
        self.cross_norm = nn.LayerNorm(sizes.width, eps=shape.norm_eps)
        self.text, self.image = BertLayer(shape), BertLayer(shape)

    def forward(self, text: Tensor, image: Tensor, text_bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, L, H), (B, P, H) → the same shapes.

        Args:
            text_bias: (B, 1, 1, L), see :func:`key_bias`; images have no padding.
        """
        seen, told = self.cross(text, image), self.cross(image, text, text_bias)
        text, image = (
            self.cross_norm(x + F.dropout(y, self.dropout, self.training)) for x, y in ((text, seen), (image, told))
        )
        return self.text(text, text_bias, self.dropout), self.image(image, None, self.dropout)


def key_bias(mask: Tensor | None) -> Tensor | None:
    """(B, L) bool, true where there is something, or ``None`` → what is added to attention scores, (B, 1, 1, L)."""
    if mask is None:
        return None
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, MASKED)[:, None, None, :]
