"""Attention of a word to the image, for the report: the cross-modal block of the last layer on a few test items."""

from pathlib import Path

import numpy as np
import torch

from compactvl.data.canonical import CanonicalSet
from compactvl.files import atomic_path
from compactvl.nn.compute import autocast
from compactvl.studies.base import Job
from compactvl.studies.dide.images import Images
from compactvl.studies.dide.model import Attended, DualEncoder, FusionEncoder
from compactvl.studies.dide.objectives import cross_attention
from compactvl.studies.items import Items
from compactvl.text.wordpiece import WordPiece

FILE = "analysis.npz"
ITEMS = 24


@torch.inference_mode()
def write_maps(
    job: Job, model: FusionEncoder | DualEncoder, dataset: CanonicalSet, images: Images, tokenizer: WordPiece
) -> str:
    """Write ``analysis.npz`` into a run: of the first test items, one an image, text → first image.

    ``maps``: float32 (items, L, P), mean over heads, 0 in padded rows; P counts the image's [CLS] first. ``item_ids``,
    ``pieces``: (items, L), "" where padded.

    Returns:
        The file's name.
    """
    table = dataset.items[dataset.items["split"] == "test"]
    image = "image_0" if job.settings.image_pair else "image_id"
    table = table.drop_duplicates(image).head(ITEMS).reset_index(drop=True)
    items = Items(dataset.name, table, tokenizer, **job.settings.form)
    last = job.settings.trunk.layers - 1
    texts, attended = items.texts(range(len(table))), Attended([last])
    with autocast(model.device, job.settings.precision):
        model(texts, [images.read(list(ids)) for ids in items.images.T], None, attended)
    query, key = attended.text[0][last][0], attended.image[0][last][1]
    maps = cross_attention(query, key, attended.there[0]).exp().mean(1) * texts.mask[..., None]
    pieces = [[tokenizer.backend.id_to_token(i) for i in row] for row in items.ids]
    padded = [row + [""] * (texts.ids.shape[1] - len(row)) for row in pieces]
    with atomic_path(Path(job.output) / FILE) as temporary:
        np.savez(
            temporary, maps=maps.cpu().numpy(), item_ids=np.array(table["item_id"].tolist()), pieces=np.array(padded)
        )
    return FILE
