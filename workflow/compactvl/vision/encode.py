"""Stage ``encode``: every image of a data set through an encoder, into a token store.

Images are read, decoded and resized by background threads while the model works on the batch before. Tokens of an
image do not depend on its batch beyond rounding (1e-5 in fp32, a few bfloat16 steps in bf16).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch

from compactvl.config.encoders import EncoderSettings
from compactvl.errors import UserError
from compactvl.progress import Progress
from compactvl.records.record import Made
from compactvl.vision.ahead import made_ahead
from compactvl.vision.preprocessing import Preprocessing
from compactvl.vision.registry import Encoder, load_encoder
from compactvl.vision.store import TokenWriter


class ImageSet(Protocol):
    """What encoding needs of a canonical data set."""

    name: str
    images: pd.DataFrame

    def image_bytes(self, image_id: str) -> bytes:
        """Return an image's encoded bytes; from any thread."""


def encode(
    encoder_name: str,
    encoder_settings: EncoderSettings,
    dataset: ImageSet,
    weights_path: str | Path | None,
    out_dir: str | Path,
    made: Made,
) -> None:
    """Encode a data set's images, those already stored excepted.

    Args:
        encoder_name: name in the configuration's ``encoders``.
        encoder_settings: that entry.
        dataset: the canonical data set.
        weights_path: converted weights of packaged encoders.
        out_dir: the token store.
        made: what it is made from, for its record.

    Raises:
        UserError: an image cannot be read or decoded, weights or disk fail.
    """
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
        batch=encoder_settings.batch_size,
        dataset={"name": dataset.name},
        shard_bytes=encoder_settings.shard_megabytes * 1_000_000,
    )
    with writer, Progress(len(writer.missing), "image", f"encode {dataset.name} with {encoder_name}") as progress:
        for ids, pixels in batches(dataset, writer.missing, encoder.preprocess, encoder_settings):
            tokens, pooled = encode_batch(encoder, pixels)
            writer.append(ids, tokens, pooled)
            progress.update(len(ids))
    writer.finish(made, str(encoder.device))


def encode_batch(encoder: Encoder, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run an encoder on uint8 pixels (B, 3, S, S); return float32 tokens (B, T, D) and pooled (B, P) as numpy."""
    tokens, pooled = encoder(pixels)
    return tokens.cpu().numpy(), pooled.cpu().numpy()


def batches(
    dataset: ImageSet, ids: Sequence[str], preprocess: Preprocessing, settings: EncoderSettings
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield the images ``ids`` in batches, prepared ahead by ``settings.decode_threads`` threads.

    Yields:
        Ids and uint8 pixels (B, 3, S, S); the last batch may be smaller.
    """

    def prepare(image_id: str) -> np.ndarray:
        try:
            return preprocess(dataset.image_bytes(image_id))
        except UserError as error:
            raise UserError(f"image {image_id!r}: {error}") from error

    chunks = [list(ids[start : start + settings.batch_size]) for start in range(0, len(ids), settings.batch_size)]
    for chunk, pixels in zip(chunks, made_ahead(chunks, prepare, settings.decode_threads), strict=True):
        yield chunk, np.stack(pixels)
