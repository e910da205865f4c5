"""The form of a head, as DiDE and ESsEN have them, and the loss of its answers."""

from torch import Tensor, nn
from torch.nn import functional as F

INIT_STD = 0.02


def mlp(given: int, hidden: int, out: int) -> nn.Sequential:
    """Linear · LayerNorm · GELU · Linear, normal weights of standard deviation 0.02, biases 0."""
    layers = nn.Sequential(nn.Linear(given, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, out))
    for layer in (layers[0], layers[3]):
        nn.init.normal_(layer.weight, std=INIT_STD)
        nn.init.zeros_(layer.bias)
    return layers


def hard_labels(logits: Tensor, targets: Tensor) -> Tensor:
    """The task's own loss, computed and returned in float32.

    Args:
        logits: (B, A).
        targets: float (B, A), what each answer scores: BCE, mean over items, sum over answers (released: BCE × 3,129);
            or int64 (B,): cross-entropy.
    """
    if targets.is_floating_point():
        return F.binary_cross_entropy_with_logits(logits.float(), targets) * logits.shape[1]
    return F.cross_entropy(logits.float(), targets)
