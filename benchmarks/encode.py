"""Encoding against the bare model: images/s of the whole stage over those of the model alone.

    python benchmarks/encode.py --weights cache/weights/dinov2_s.safetensors

Both run at the same batch size, precision and number of threads on the same drawn PNG images, and are measured in turn
several times; medians are compared. The bare model gets pixels already decoded, resized and normalised. Stage time
counts from the first image read to the shard on disk; loading the model is left out. Target: 0.85. Prints JSON.
"""

import argparse
import io
import json
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from compactvl.config.encoders import PackagedEncoder
from compactvl.files import sha256_bytes
from compactvl.records.record import Made
from compactvl.vision.encode import batches, encode_batch
from compactvl.vision.registry import PACKAGED_MODELS, Encoder, load_encoder
from compactvl.vision.store import TokenWriter


def draw_images(count: int, size: int) -> dict[str, bytes]:
    """Return PNG bytes of random rectangles on a plain ground by id: about what a composed scene costs to decode."""
    random, images = np.random.default_rng(0), {}
    for k in range(count):
        pixels = np.full((size, size, 3), random.integers(120, 255, 3), np.uint8)
        for _ in range(12):
            left, top = random.integers(0, size - size // 4, 2)
            pixels[top : top + size // 5, left : left + size // 4] = random.integers(0, 255, 3)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        images[f"image-{k}"] = buffer.getvalue()
    return images


def bare_rate(encoder: Encoder, pixels: torch.Tensor, count: int) -> float:
    """Return images/s of the model alone on ``count`` images in batches of normalised ``pixels``."""
    start = time.perf_counter()
    for _ in range(count // len(pixels)):
        encoder.forward_normalised(pixels)
    return count // len(pixels) * len(pixels) / (time.perf_counter() - start)


def stage_rate(encoder: Encoder, settings: PackagedEncoder, images: dict[str, bytes]) -> float:
    """Return images/s from encoded bytes to a finished token store."""
    hashes = {image_id: sha256_bytes(data) for image_id, data in images.items()}
    dataset = SimpleNamespace(image_bytes=images.__getitem__)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        writer = TokenWriter(
            folder,
            shape=encoder.tokens_shape,
            pooled_dim=encoder.pooled_dim,
            storage=settings.storage,
            encoder_facts=encoder.facts,
            images=hashes,
            batch=settings.batch_size,
        )
        with writer:
            for ids, pixels in batches(dataset, list(images), encoder.preprocess, settings):
                writer.append(ids, *encode_batch(encoder, pixels))
        writer.finish(Made("encode", ""))
        return len(images) / (time.perf_counter() - start)


def main() -> None:
    """Parse the options, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="converted weights (.safetensors)")
    parser.add_argument("--loader", default="dinov2_s", choices=sorted(PACKAGED_MODELS))
    parser.add_argument("--image-size", type=int, default=112)
    parser.add_argument("--source-size", type=int, default=224, help="side of the PNG images in pixels")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--images", type=int, default=256, help="images a measurement")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    images = draw_images(options.images, options.source_size)
    rows = []
    for precision in options.precision:
        for batch_size in options.batch_size:
            settings = PackagedEncoder(
                loader=options.loader,
                weights="given",
                image_size=options.image_size,
                precision=precision,
                batch_size=batch_size,
                threads=options.threads,
            )
            encoder = load_encoder(settings, options.weights)
            pixels = torch.randn(batch_size, 3, options.image_size, options.image_size, device=encoder.device)
            bare_rate(encoder, pixels, 2 * batch_size)
            pairs = [
                (bare_rate(encoder, pixels, options.images), stage_rate(encoder, settings, images))
                for _ in range(options.repeats)
            ]
            bare, stage = (statistics.median(column) for column in zip(*pairs, strict=True))
            row = {"precision": precision, "batch_size": batch_size, "threads": options.threads}
            row |= {"bare_images_per_second": round(bare, 1), "stage_images_per_second": round(stage, 1)}
            rows.append(row | {"stage_over_bare": round(stage / bare, 3)})
    facts = {"benchmark": "encode", "loader": options.loader, "image_size": options.image_size}
    print(json.dumps(facts | {"rows": rows}, indent=2))


if __name__ == "__main__":
    main()
