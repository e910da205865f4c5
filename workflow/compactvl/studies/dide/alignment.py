"""A warm-up of the image's projection: its tokens against frozen word vectors, before any layer sees both.

Not in the paper, whose pre-training begins from ViLT. Tokens that come from another encoder than the layers' first have to be
brought to where the layers' own inputs are.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.studies.dide.objectives import matching
from compactvl.text.batches import TokenBatch

SHARPNESS = 12.0


class Alignment(nn.Module):
    """s(i, t) = scale · Σ_w softmax(u)_w · (1/β) log Σ_k exp(β cos(v_k − μ, w − μ)): a soft form of late interaction.

    v: an image's projected tokens; w: a caption's frozen word vectors, [CLS] and [SEP] left out; μ: the mean word vector; u: a
    learned number a word; β: :data:`SHARPNESS`.
    """

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.weight = nn.Embedding(vocabulary, 1)
        nn.init.zeros_(self.weight.weight)
        self.log_scale = nn.Parameter(torch.tensor(math.log(30.0)))

    def scores(self, tokens: Tensor, texts: TokenBatch, words: Tensor) -> Tensor:
        """Image tokens (I, m, d), captions (C, L), word table (rows, d) → float32 (C, I)."""
        words = words.detach()
        mean = words.mean(0)
        ids, place = texts.ids, torch.arange(texts.ids.shape[1], device=texts.ids.device)
        there = (place > 0) & (place < texts.lengths[:, None] - 1)
        v, w = F.normalize(tokens.float() - mean, dim=-1), F.normalize(words[ids] - mean, dim=-1)
        cosine = torch.einsum("imd,cld->clim", v, w).float()
        best = torch.logsumexp(SHARPNESS * cosine, -1) / SHARPNESS
        lowest = torch.finfo(torch.float32).min
        importance = self.weight(ids).squeeze(-1).float().masked_fill(~there, lowest).softmax(-1) * there
        return self.log_scale.clamp(max=math.log(200)).exp() * (best * importance[..., None]).sum(1)

    def loss(self, tokens: Tensor, texts: TokenBatch, words: Tensor, match: Tensor) -> tuple[Tensor, Tensor]:
        """Contrastive loss in the batch, and the share of captions whose own image scores best (``match`` as
        :func:`compactvl.studies.dide.objectives.matching`).
        """
        scores = self.scores(tokens, texts, words)
        accuracy = (scores.argmax(1) == torch.arange(len(scores), device=scores.device)).float().mean()
        return matching(scores, match), accuracy
