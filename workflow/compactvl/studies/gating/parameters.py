"""Parameters by part, counted on the meta device: no weights are made."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.settings import Decoder, Tokenizer

GPT2_SIZE = 50_257
SPECIAL = 3
PARTS = {
    "words": "text embedding", "positions": "text embedding", "norm": "text embedding", "image_encoder": "image encoder",
    "image_modulation": "modulation", "output": "output", "output_bias": "output", "clip": "auxiliary losses", "lcg": "auxiliary losses",
}  # fmt: skip
INSIDE_LAYERS = {"gate": "gates", "modulation": "modulation", "self_attention": "self-attention",
                 "cross_attention": "cross-attention"}  # fmt: skip


def count_parameters(settings: Any, peers: Mapping[str, Any]) -> Sequence[tuple[str, int]]:
    """(part, number of parameters) of a variant; nothing for variants that are not trained by gradient."""
    if not isinstance(settings, Decoder):
        return []
    with torch.device("meta"):
        model = GatedDecoder(settings, vocabulary_of(peers[settings.tokenizer]))
    counts: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        pieces = name.split(".")
        part = INSIDE_LAYERS.get(pieces[2], "norms and feed-forward") if pieces[0] == "layers" else PARTS[pieces[0]]
        counts[part] = counts.get(part, 0) + parameter.numel()
    return list(counts.items())


def vocabulary_of(tokenizer: Tokenizer) -> int:
    """Entries of a tokenizer, known before it is trained; a published one is taken for GPT-2's and three special tokens."""
    return GPT2_SIZE + SPECIAL if tokenizer.pretrained is not None else tokenizer.vocabulary
