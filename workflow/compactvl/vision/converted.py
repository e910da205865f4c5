"""Weights as a model's state dictionary, and whether they are the whole of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from compactvl.errors import UserError

BERT_CONFIG = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
    "type_vocab_size", "layer_norm_eps", "hidden_act", "pad_token_id",
)  # fmt: skip
"""Numbers of a BERT that are kept with its weights."""


@dataclass(frozen=True)
class Converted:
    """Weights as a model's state dictionary.

    Attributes:
        tensors: parameter name → float32 (or int64 counter) tensor.
        model: the architecture they belong to (a timm or transformers name).
        place: where in their source they were: the archive's ``member``, or ``revision`` and ``sha256``.
        left_out: names of tensors the model knows but the conversion leaves out, on purpose.
        config: architecture numbers that came with the weights.
        companions: suffix of a further file → its bytes (``tokenizer.json``).
        remark: what a reader of results should know about where these weights come from.
    """

    tensors: dict[str, torch.Tensor]
    model: str
    place: dict[str, str | None]
    left_out: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    companions: dict[str, bytes] = field(default_factory=dict)
    remark: str = ""


def timm_shapes(model: str, **options: Any) -> dict[str, tuple[int, ...]]:
    """Return parameter name → shape of a timm model."""
    from compactvl.vision.uncompiled_timm import timm

    with torch.device("meta"):
        return shapes_of(timm.create_model(model, pretrained=False, **options))


def shapes_of(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """Return parameter name → shape of a model."""
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def check_shapes(tensors: Mapping[str, torch.Tensor], expected: Mapping[str, tuple[int, ...]], archive: Path) -> None:
    """Raise UserError unless an archive's tensors are those of a model, by name and shape."""
    problems = [f"missing {name}" for name in expected if name not in tensors]
    problems += [f"unexpected {name}" for name in tensors if name not in expected]
    problems += [
        f"{name} is {tuple(tensors[name].shape)}, not {shape}"
        for name, shape in expected.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise UserError(f"{archive}: weights do not fit the model: {', '.join(problems[:3])}{more}")
