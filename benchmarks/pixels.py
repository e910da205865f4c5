"""Pixels for training: images/s of the loader against a plain Pillow loop over the same bytes.

    python benchmarks/pixels.py [--dataset data/sets/scenes] [--threads 1 2 4]

Without a data set, JPEG photographs of noise are drawn and thrown away. The plain loop opens, resizes and normalises bytes
that are already in memory, without checks, augmentation or batches; so does ``random access``, the data set's own reading,
without decoding. Batches are taken as fast as they come. Prints JSON.
"""

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from compactvl.config.pixels import AspectFit, Augmentation, PixelSettings, RandAugment, RandomCrop, SquareFit
from compactvl.data.canonical import CanonicalSet, ImageRow, write_set
from compactvl.records.record import Made
from compactvl.training.memory import keep_freed_memory
from compactvl.vision.pixels import pixel_batches
from compactvl.vision.preprocessing import AspectPreprocessing

FITS = {
    "square 64": SquareFit(shape="square", image_size=64),
    "square 224": SquareFit(shape="square", image_size=224),
    "aspect 384-640": AspectFit(shape="aspect"),
}
AUGMENTATIONS = {
    "none": Augmentation(),
    "crop, flip": Augmentation(crop=RandomCrop(), flip=0.5),
    "RandAugment(2, 9)": Augmentation(operations=RandAugment()),
}


def draw_set(folder: Path, count: int, size: tuple[int, int]) -> CanonicalSet:
    """Write JPEG images of smooth noise."""

    def image(number: int) -> ImageRow:
        noise = np.random.default_rng(number).integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=95)
        return ImageRow(f"p{number}", buffer.getvalue(), "train")

    ids = [f"p{number}" for number in range(count)]
    items = pd.DataFrame({"item_id": ids, "image_id": ids, "split": "train", "caption": "noise"})
    write_set(folder, "noise", map(image, range(count)), items, Made("curate", ""), settings={})
    return CanonicalSet.open(folder)


def rate(count: int, work: Callable[[], object]) -> dict[str, float]:
    """Return images a second, and a second of one core, of ``work`` over ``count`` images."""
    clocks = {"a_second": time.perf_counter, "a_core_second": time.process_time}
    starts = {name: clock() for name, clock in clocks.items()}
    work()
    return {name: round(count / (clock() - starts[name]), 1) for name, clock in clocks.items()}


def plain(data: list[bytes], fit: SquareFit | AspectFit) -> None:
    """Open, resize and normalise one image after the other."""
    for one in data:
        image = Image.open(io.BytesIO(one)).convert("RGB")
        if isinstance(fit, SquareFit):
            side, edge = fit.image_size, min(image.size)
            left, top = ((length - edge) // 2 for length in image.size)
            image = image.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + edge, top + edge))
        else:
            size = AspectPreprocessing(**fit.model_dump(exclude={"shape"})).size(*image.size)
            image = image.resize(size, Image.Resampling.BICUBIC)
        pixels = np.asarray(image, np.float32).transpose(2, 0, 1) / 255
        np.ascontiguousarray((pixels - 0.5) / 0.5)


def main() -> None:
    """Parse the options, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, help="a data set's folder; without it one is drawn")
    parser.add_argument("--images", type=int, default=512, help="images a measurement (default: 512)")
    parser.add_argument("--size", type=int, nargs=2, default=[640, 480], help="of the drawn images (default: 640 480)")
    parser.add_argument("--batch", type=int, default=32, help="images a step (default: 32)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    keep_freed_memory()  # as every job does
    with tempfile.TemporaryDirectory() as folder:
        drawn = options.dataset is None
        dataset = draw_set(Path(folder), options.images, options.size) if drawn else CanonicalSet.open(options.dataset)
        ids = np.random.default_rng(0).choice(dataset.images["image_id"], options.images).tolist()
        data = [dataset.image_bytes(image_id) for image_id in ids]
        steps = [(k, ids[k : k + options.batch]) for k in range(0, len(ids), options.batch)]
        report = {"benchmark": "pixels", "cores": os.cpu_count(), "bytes": round(sum(map(len, data)) / len(data))}
        report["random access"] = rate(len(ids), lambda: [dataset.image_bytes(image_id) for image_id in ids])
        for name, fit in FITS.items():
            report[name] = {"plain loop": rate(len(ids), lambda fit=fit: plain(data, fit))}
            for change, augment in AUGMENTATIONS.items():
                for threads in options.threads:
                    settings = PixelSettings(fit=fit, augment=augment, decode_threads=threads)
                    report[name][f"{change}, {threads} threads"] = rate(
                        len(ids), lambda settings=settings: [None for _ in pixel_batches(dataset, settings, steps, 0)]
                    )
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
