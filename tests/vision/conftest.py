"""Converted weights, small models with random weights, and small data sets of drawn images."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from compactvl.config.encoders import TimmEncoder, WeightsSettings
from compactvl.data.canonical import CanonicalSet, ImageRow, write_set
from compactvl.records.record import Made
from compactvl.vision.convert import convert_weights

SMALL_MODEL = "test_vit"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def converted(source_archive, tmp_path_factory) -> Callable[[str], Path]:
    """Path of converted weights by name (``dinov2_s``, ``minilm``, ``craft``, ``efficientnet_lite0``)."""
    folder = tmp_path_factory.mktemp("weights")
    kinds = {"dinov2_s": ("dinov2", "dinov2_onnx"), "minilm": ("minilm", "minilm"), "craft": ("craft", "craft")}

    def path(name: str) -> Path:
        target = folder / f"{name}.safetensors"
        if not target.is_file():
            source, kind = kinds.get(name, (name, "efficientnet_lite"))
            settings = WeightsSettings(source=source, format=kind)
            convert_weights(name, settings, source_archive(source), target, Made("weights", ""))
        return target

    return path


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory) -> TimmEncoder:
    """Settings of a tiny vision transformer whose random weights lie in a file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("small") / "model.safetensors"
    save_file(timm.create_model(SMALL_MODEL, num_classes=7).state_dict(), path)
    return TimmEncoder(loader="timm", model=SMALL_MODEL, checkpoint=str(path), image_size=64, batch_size=4, threads=1)


def picture(seed: int, size: tuple[int, int] = (80, 72)) -> bytes:
    """PNG bytes of a few random rectangles."""
    random = np.random.default_rng(seed)
    pixels = np.full((size[1], size[0], 3), random.integers(120, 255, 3), np.uint8)
    for _ in range(3):
        left, top = random.integers(0, 40, 2)
        pixels[top : top + 20, left : left + 30] = random.integers(0, 255, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def make_set(tmp_path) -> Callable[..., CanonicalSet]:
    """Write and open a data set of ``picture(seed)`` images, one an id → seed."""

    def make(seeds: dict[str, int]) -> CanonicalSet:
        rows = [ImageRow(image_id, picture(seed), "test") for image_id, seed in seeds.items()]
        items = pd.DataFrame({"item_id": list(seeds), "image_id": list(seeds), "split": "test", "caption": "a thing"})
        write_set(tmp_path / "set", "drawn", rows, items, made=Made("curate", ""), settings={})
        return CanonicalSet.open(tmp_path / "set")

    return make
