"""Pixels for training: against the encoders' preprocessing and transformers' ViLT; the same whatever the threads."""

import io
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

from compactvl.config.pixels import AspectFit, Augmentation, PixelSettings, RandAugment, RandomCrop, SquareFit
from compactvl.data.canonical import CanonicalSet, ImageRow, write_set
from compactvl.errors import UserError
from compactvl.records.record import Made
from compactvl.vision.pixels import PixelBatch, PixelLoader, pixel_batches
from compactvl.vision.preprocessing import Preprocessing

SIZES = [(90, 60), (60, 90), (50, 50), (200, 40), (33, 47), (70, 71), (1, 900), (900, 1)]
SQUARE, ASPECT = (
    SquareFit(shape="square", image_size=48),
    AspectFit(shape="aspect", shorter=64, longer=106, multiple=16),
)
EVERYTHING = Augmentation(crop=RandomCrop(), flip=0.5, operations=RandAugment())
STEPS = 6


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> CanonicalSet:
    """Noise of several shapes, and one image that cannot be decoded."""
    rows = []
    for number, (width, height) in enumerate(SIZES):
        noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "PNG")
        rows.append(ImageRow(f"p{number}", buffer.getvalue(), "train"))
    rows.append(ImageRow("bad", b"rubbish", "train"))
    items = pd.DataFrame({"item_id": ["0"], "image_id": ["p0"], "split": "train", "caption": "noise"})
    folder = tmp_path_factory.mktemp("noise")
    write_set(folder, "noise", rows, items, Made("curate", ""), settings={})
    return CanonicalSet.open(folder)


def ids_of(step: int) -> list[str]:
    return [f"p{number}" for number in np.random.default_rng(step).integers(0, len(SIZES), 5)]


def same(a: PixelBatch, b: PixelBatch) -> bool:
    """Whether two batches are equal to the bit."""
    masks = a.mask is b.mask is None or (a.mask is not None and b.mask is not None and torch.equal(a.mask, b.mask))
    return masks and torch.equal(a.pixels, b.pixels)


def settings(fit: SquareFit | AspectFit, augment: Augmentation = EVERYTHING, threads: int = 2) -> PixelSettings:
    return PixelSettings(fit=fit, augment=augment, decode_threads=threads)


@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_squares_are_what_an_encoder_is_given(resize: str, dataset: CanonicalSet) -> None:
    fit = SquareFit(shape="square", image_size=48, resize=resize, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    ids = [f"p{number}" for number in range(len(SIZES))]
    (batch,) = pixel_batches(dataset, settings(fit), [(0, ids)], seed=None)
    preprocess = Preprocessing(48, resize, "bicubic", fit.mean, fit.std)
    pixels = torch.from_numpy(np.stack([preprocess(dataset.image_bytes(image_id)) for image_id in ids]))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (fit.mean, fit.std))
    assert torch.equal(batch.pixels, (pixels.float() / 255 - mean) / std)
    assert batch.mask is None


def test_proportions_masks_and_padding_are_vilts(dataset: CanonicalSet) -> None:
    theirs = ViltImageProcessorPil(size={"shortest_edge": 64}, size_divisor=16)
    ids = [f"p{number}" for number in range(6)]  # transformers gives pictures of one column no pixels at all
    (batch,) = pixel_batches(dataset, settings(ASPECT), [(0, ids)], seed=None)
    images = [Image.open(io.BytesIO(dataset.image_bytes(image_id))) for image_id in ids]
    expected = theirs(images, return_tensors="pt")
    assert torch.equal(batch.mask, expected["pixel_mask"].bool())
    torch.testing.assert_close(batch.pixels, expected["pixel_values"], atol=1e-5, rtol=0)
    (narrow,) = pixel_batches(dataset, settings(ASPECT), [(0, ["p6", "p7"])], seed=None)
    assert narrow.pixels.shape == (2, 3, 96, 96)
    assert narrow.mask.sum((1, 2)).tolist() == [16 * 96, 96 * 16]


@pytest.mark.parametrize("fit", [SQUARE, ASPECT])
def test_threads_and_resuming_change_nothing(fit: SquareFit | AspectFit, dataset: CanonicalSet) -> None:
    def batches(threads: int, first: int = 0, seed: int = 7) -> list[PixelBatch]:
        with PixelLoader(dataset, settings(fit, threads=threads), ids_of, STEPS, seed) as batch:
            return [batch(step) for step in range(first, STEPS)]

    one = batches(1)
    assert [same(a, b) for a, b in zip(one, batches(4), strict=True)] == [True] * STEPS
    assert [same(a, b) for a, b in zip(one[2:], batches(3, first=2), strict=True)] == [True] * (STEPS - 2)
    assert [same(a, b) for a, b in zip(one, batches(1, seed=8), strict=True)] == [False] * STEPS


def test_every_place_in_every_step_has_its_own_draws(dataset: CanonicalSet) -> None:
    steps = [(step, ["p0"] * 4) for step in range(3)]
    drawn = torch.cat([batch.pixels for batch in pixel_batches(dataset, settings(SQUARE), steps, seed=0)])
    assert len({tuple(image.ravel().tolist()) for image in drawn}) == 12
    # The training loop draws from (seed, step): the first image's draws are others.
    loop, first = (np.random.SeedSequence([0, 1], spawn_key=key).generate_state(1) for key in ((), (0,)))
    assert loop != first


def test_steps_may_be_asked_for_in_any_order(dataset: CanonicalSet) -> None:
    with PixelLoader(dataset, settings(ASPECT), ids_of, STEPS, 7) as batch:
        in_order = [batch(step).pixels for step in range(STEPS)]
        for step in (3, 4, 0, 5):
            assert torch.equal(batch(step).pixels, in_order[step])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize(("image_id", "said"), [("bad", "cannot be decoded"), ("p99", "has no image 'p99'")])
def test_an_error_in_a_thread_names_the_image(image_id: str, said: str, dataset: CanonicalSet) -> None:
    steps = [(0, ["p0", "p1"]), (1, ["p2", image_id]), (2, ["p3"])]
    batches = pixel_batches(dataset, settings(SQUARE), steps, seed=0)
    assert next(batches).pixels.shape == (2, 3, 48, 48)
    with pytest.raises(UserError, match=rf"data set 'noise', image '{image_id}': .*{said}") as caught:
        next(batches)
    assert "\n" not in str(caught.value)


def test_an_interruption_ends_the_threads(dataset: CanonicalSet) -> None:
    def train() -> None:
        with PixelLoader(dataset, settings(SQUARE), lambda step: ["p0"] * 64, 1000, 0) as batch:
            batch(0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fit": {"shape": "round"}}, "round"),
        ({"fit": {"shape": "aspect", "shorter": 16}}, "multiple 32 <= shorter 16"),
        ({"fit": {"shape": "aspect", "longer": 100}}, "shorter 384 <= longer 100"),
        (
            {"fit": {"shape": "square", "image_size": 8}, "augment": {"crop": {"area": [0.5, 0.1]}}},
            r"area \[0.5, 0.1\]",
        ),
        ({"fit": {"shape": "square", "image_size": 8}, "augment": {"crop": {"area": [0, 0.1]}}}, "above 0"),
        ({"fit": {"shape": "square", "image_size": 8}, "augment": {"operations": {"magnitude": 31}}}, "magnitude"),
    ],
)
def test_bad_settings(given: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PixelSettings.model_validate(given)


def test_a_part_is_cut_out_and_what_lies_outside_is_left_out():
    from compactvl.vision.pixels import Part

    image = Image.fromarray(np.arange(12 * 10 * 3, dtype=np.uint8).reshape(10, 12, 3))
    whole = np.asarray(image)
    for box, rows, columns in (
        ((2, 3, 4, 5), slice(3, 8), slice(2, 6)),
        ((2.4, 3.6, 1.2, 0.9), slice(3, 5), slice(2, 4)),
        ((-5, -5, 8, 9), slice(0, 4), slice(0, 3)),
        ((30, 40, 5, 5), slice(9, 10), slice(11, 12)),
        ((4, 4, 0, 0), slice(4, 5), slice(4, 5)),
    ):
        assert np.array_equal(np.asarray(Part("a", box).cut(image)), whole[rows, columns]), box
