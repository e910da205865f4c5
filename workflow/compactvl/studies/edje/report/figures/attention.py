"""Where the learned queries of the token-compression adapter look."""

import numpy as np
from matplotlib.figure import Figure

from compactvl.data.canonical import CanonicalSet
from compactvl.reporting.pictures import lit, picture
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import WIDTH, grid
from compactvl.studies.edje.report.results import EdjeResults


def attention_maps(
    study: EdjeResults, *, dataset: CanonicalSet | None, variant: str, images: int = 5, queries: int = 7
) -> Figure | NotRun:
    """Draw a few images, each with the attention of several learned queries as colour over the image.

    Reads ``maps`` (images, m, h, w) float32, a query's weights over the grid of vision tokens summing to 1, and
    ``image_ids`` of ``analysis.npz``. Of the m queries those are shown whose maps differ most over images.

    Args:
        dataset: canonical set of the images; ``None`` when it is not on disk. images, queries: how many, at most.
    """
    arrays = study.analysis(variant)
    if "maps" not in arrays:
        return NotRun(f"{variant} has no attention maps (analysis.npz)")
    if dataset is None:
        return NotRun("the data set's images are not on disk")
    maps, ids, known = arrays["maps"], list(map(str, arrays["image_ids"])), set(dataset.images["image_id"])
    rows = [row for row, image in enumerate(ids) if image in known][:images]
    if not rows:
        return NotRun(f"none of the images of {variant}'s analysis is in {dataset.name}")
    shown = np.sort(np.argsort(-maps.var(axis=0).sum(axis=(1, 2)), kind="stable")[:queries])
    columns = 1 + len(shown)
    figure, axes = grid(columns * len(rows), columns, WIDTH / columns, foot=0.25)
    for panel in axes:
        panel.axis("off")
    for start, row in zip(range(0, len(axes), columns), rows, strict=True):
        image = picture(dataset, ids[row])
        axes[start].imshow(image)
        for panel, query in zip(axes[start + 1 : start + columns], shown, strict=True):
            panel.imshow(lit(image, maps[row, query]))
    for panel, title in zip(axes, ["image", *(f"query {query + 1}" for query in shown)], strict=False):
        panel.set_title(title, fontsize=8.5, fontweight="normal", loc="center")
    return figure
