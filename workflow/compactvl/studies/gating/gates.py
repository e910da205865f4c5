"""How text and image are mixed at a position: soft or hard gates, a feature or a token each, or none (paper: gates)."""

from torch import Tensor, nn
from torch.nn import functional as F


class Gate(nn.Module):
    """out = LN(Drop(g·h + (1 − g)·c)); g → 1 keeps the text, g → 0 takes the image.

    Soft: g = σ(W[h; c] + b). Hard: g is the first of a pair drawn by Gumbel-softmax, soft samples in training and the
    argmax in evaluation (``stays_random``: one-hot samples there, as released).

    Args:
        width: d. hard, per_feature: which of the four. dropout: of the mixture. stays_random: see above.
    """

    def __init__(self, width: int, *, hard: bool, per_feature: bool, dropout: float, stays_random: bool) -> None:
        super().__init__()
        self.hard, self.stays_random = hard, stays_random
        self.choose = nn.Linear(2 * width, (width if per_feature else 1) * (2 if hard else 1))
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, h: Tensor, c: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        """Mix.

        Args:
            h: text, (B, L, d). c: image as the text asked for it, (B, L or 1, d). temperature: Gumbel's, a scalar.

        Returns:
            The mixture (B, L, d), and g: (B, L, d) or (B, L, 1).
        """
        # W[h; c] in two products, as c may be one vector for all positions.
        of_text, of_image = self.choose.weight.split(h.shape[-1], dim=1)
        g = self._values(F.linear(h, of_text) + F.linear(c, of_image, self.choose.bias), temperature)
        return self.norm(self.dropout(g * h + (1 - g) * c)), g

    def _values(self, logits: Tensor, temperature: Tensor) -> Tensor:
        if not self.hard:
            return logits.sigmoid()
        pairs = logits.unflatten(-1, (-1, 2))
        if self.training or self.stays_random:
            # Gumbel noise in float32: bf16 rounds its tails away.
            return F.gumbel_softmax(pairs.float(), float(temperature), hard=not self.training)[..., 0].to(logits.dtype)
        return (pairs[..., 0] >= pairs[..., 1]).to(logits.dtype)


def build_gate(kind: str, width: int, dropout: float, stays_random: bool) -> Gate | None:
    """Return the gate of that kind: ``soft_feature``, ``soft_token``, ``hard_feature``, ``hard_token``, or ``none``."""
    if kind == "none":
        return None
    form, unit = kind.split("_")
    return Gate(width, hard=form == "hard", per_feature=unit == "feature", dropout=dropout, stays_random=stays_random)
