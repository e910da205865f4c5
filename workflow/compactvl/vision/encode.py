"""Stage ``encode``: every image of a data set through an encoder, into a token store.

Images are read, decoded and resized by background threads while the model works on the batch before. Tokens of an
image do not depend on its batch beyond rounding (1e-5 in fp32, a few bfloat16 steps in bf16).
"""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch

from compactvl.config.encoders import EncoderSettings
from compactvl.errors import UserError
from compactvl.files import digest_of, sha256_bytes
from compactvl.progress import Progress
from compactvl.vision.encoder import Encoder
from compactvl.vision.preprocessing import Preprocessing
from compactvl.vision.registry import load_encoder
from compactvl.vision.store import TokenWriter


class ImageSet(Protocol):
    """What encoding needs of a canonical data set."""

    name: str
    images: pd.DataFrame

    def iter_images(self, ids: list[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield (image_id, bytes) in storage order."""


def encode(
    encoder_name: str,
    encoder_settings: EncoderSettings,
    dataset: ImageSet,
    weights_path: str | Path | None,
    out_dir: str | Path,
) -> None:
    """Encode a data set's images, those already stored excepted.

    Args:
        encoder_name: name in the configuration's ``encoders``.
        encoder_settings: that entry.
        dataset: the canonical data set.
        weights_path: converted weights of packaged encoders.
        out_dir: the token store.

    Raises:
        UserError: an image cannot be decoded or differs from its recorded hash, weights or disk fail.
    """
    started = time.monotonic()
    torch.set_num_threads(encoder_settings.threads)
    encoder = load_encoder(encoder_settings, weights_path)
    images = dict(zip(dataset.images["image_id"], dataset.images["sha256"], strict=True))
    writer = TokenWriter(
        out_dir,
        shape=encoder.tokens_shape,
        pooled_dim=encoder.pooled_dim,
        storage=encoder_settings.storage,
        encoder_facts={"name": encoder_name, **encoder.facts},
        images=images,
        dataset={"name": dataset.name},
        shard_bytes=encoder_settings.shard_megabytes * 1_000_000,
    )
    with writer, Progress(len(writer.missing), "image", f"encode {dataset.name} with {encoder_name}") as progress:
        wanted = dataset.iter_images(writer.missing) if writer.missing else iter(())
        for ids, pixels in batches(wanted, images, encoder.preprocess, encoder_settings):
            tokens, pooled = encode_batch(encoder, pixels)
            writer.append(ids, tokens, pooled, [images[image_id] for image_id in ids])
            progress.update(len(ids))
    inputs = {"images": digest_of(images), "weights": encoder.facts["weights_sha256"]}
    writer.finish(inputs=inputs, started=started, device=str(encoder.device))


def encode_batch(encoder: Encoder, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run an encoder on uint8 pixels (B, 3, S, S); return float32 tokens (B, T, D) and pooled (B, P) as numpy."""
    tokens, pooled = encoder(pixels)
    return tokens.cpu().numpy(), pooled.cpu().numpy()


def batches(
    source: Iterator[tuple[str, bytes]], hashes: dict[str, str], preprocess: Preprocessing, settings: EncoderSettings
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield decoded batches, prepared ahead by ``settings.decode_threads`` threads.

    Args:
        source: (image_id, bytes) pairs; read from one thread at a time.
        hashes: image id → SHA-256 its bytes must have.
        preprocess: from bytes to a uint8 array.
        settings: batch size and number of threads.

    Yields:
        Ids and uint8 pixels (B, 3, S, S); the last batch may be smaller.
    """

    def prepare(image_id: str, data: bytes) -> np.ndarray:
        if sha256_bytes(data) != hashes[image_id]:
            raise UserError(f"image {image_id!r} differs from its data set's hash; curate the data set again")
        try:
            return preprocess(data)
        except UserError as error:
            raise UserError(f"image {image_id!r}: {error}") from error

    def read() -> list[tuple[str, bytes]]:
        return list(islice(source, settings.batch_size))

    # The reader runs one batch ahead of the decoders, the decoders two ahead of the model.
    with ThreadPoolExecutor(settings.decode_threads) as decoders, ThreadPoolExecutor(1) as reader:
        ready: deque[tuple[list[str], list[Future]]] = deque()
        coming: Future | None = reader.submit(read)
        try:
            while coming is not None or ready:
                while coming is not None and len(ready) < 2:
                    chunk = coming.result()
                    coming = reader.submit(read) if len(chunk) == settings.batch_size else None
                    if chunk:
                        futures = [decoders.submit(prepare, *pair) for pair in chunk]
                        ready.append(([image_id for image_id, _ in chunk], futures))
                if ready:
                    ids, futures = ready.popleft()
                    yield ids, np.stack([future.result() for future in futures])
        finally:
            decoders.shutdown(cancel_futures=True)
            reader.shutdown(cancel_futures=True)
