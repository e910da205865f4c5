"""Where the learned queries of the token-compression adapter look."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from compactvl.data.canonical import CanonicalSet
from compactvl.reporting.figures.gallery import picture
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import WIDTH

FADED, STRONGEST = 0.55, 0.85
COLOUR = (213, 94, 0)


def attention_maps(
    study: StudyResults, *, dataset: CanonicalSet | None, variant: str, images: int = 5, queries: int = 7
) -> Figure | NotRun:
    """Draw a few images, each with the attention of several learned queries as brightness over the image.

    Reads ``maps`` (images, m, h, w) float32, a query's weights over the grid of vision tokens summing to 1, and
    ``image_ids`` of ``analysis.npz``. Of the m queries those are shown whose maps differ most over images.

    Args:
        dataset: canonical set of the images; ``None`` when it is not on disk. images, queries: how many, at most.
    """
    arrays = study.analysis(variant)
    if arrays is None or "maps" not in arrays:
        return NotRun(f"{variant} has no attention maps (analysis.npz)")
    if dataset is None:
        return NotRun("the data set's images are not on disk")
    known = set(dataset.images["image_id"])
    rows = [i for i, image in enumerate(arrays["image_ids"]) if str(image) in known][:images]
    if not rows:
        return NotRun(f"none of the images of {variant}'s analysis is in {dataset.name}")
    maps = arrays["maps"]
    shown = np.sort(np.argsort(-maps.var(axis=0).sum(axis=(1, 2)), kind="stable")[:queries])
    columns = 1 + len(shown)
    size = WIDTH / columns
    figure, grid = plt.subplots(len(rows), columns, figsize=(WIDTH, size * len(rows) + 0.25), squeeze=False)
    for line, row in zip(grid, rows, strict=True):
        image = picture(dataset, str(arrays["image_ids"][row]))
        line[0].imshow(image)
        for axes, query in zip(line[1:], shown, strict=True):
            axes.imshow(_lit(image, maps[row, query]))
        for axes in line:
            axes.axis("off")
    grid[0][0].set_title("image", fontsize=8.5, fontweight="normal", loc="center")
    for axes, query in zip(grid[0][1:], shown, strict=True):
        axes.set_title(f"query {query + 1}", fontsize=8.5, fontweight="normal", loc="center")
    return figure


def _lit(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the image faded, and coloured where a query looks, in proportion to the map's maximum."""
    height, width = image.shape[:2]
    field = Image.fromarray(np.asarray(weights, dtype=np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    light = np.clip(np.asarray(field) / max(float(weights.max()), 1e-12), 0, 1)
    faded = FADED * image + (1 - FADED) * 255
    cover = STRONGEST * light[..., None]
    return ((1 - cover) * faded + cover * np.array(COLOUR)).astype(np.uint8)
