"""What the learned queries attend to: maps over the image for the report."""

import math
from pathlib import Path

import numpy as np
import torch

from compactvl.files import atomic_path
from compactvl.nn.adapters import CompressionAdapter
from compactvl.studies.edje.model import JointModel
from compactvl.vision.store import TokenStore

FILE = "analysis.npz"
IMAGES = 8


@torch.inference_mode()
def write_attention_maps(model: JointModel, store: TokenStore, image_ids: list[str], folder: Path) -> list[str]:
    """Write ``analysis.npz``: ``maps`` float32 (images, m, h, w), mean over heads, and ``image_ids``.

    Only a compression adapter on a square grid of tokens has such maps.

    Returns:
        The names of the files written: one or none.
    """
    side = math.isqrt(store.shape[0])
    if not isinstance(model.adapter, CompressionAdapter) or side * side != store.shape[0]:
        return []
    ids = image_ids[:IMAGES]
    patches = torch.from_numpy(store.read(ids)).to(model.device).float()
    maps = model.adapter.maps(patches).cpu().numpy().reshape(len(ids), -1, side, side)
    with atomic_path(folder / FILE) as temporary:
        np.savez(temporary, maps=maps, image_ids=np.array(ids))
    return [FILE]
