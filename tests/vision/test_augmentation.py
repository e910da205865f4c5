"""Random changes of images: each operation against timm's or numpy's, each distribution against torchvision's."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from scipy.stats import ks_2samp
from timm.data.auto_augment import NAME_TO_OP
from torchvision.transforms import RandomResizedCrop

from compactvl.config.pixels import Augmentation, RandAugment, RandomCrop
from compactvl.vision.augmentation import OPERATIONS, augment, crop_box, rand_augment

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))
# Ours → timm's, and its value at magnitude 9 (ViLT's ranges times 9 / 30).
TIMM = {
    "auto_contrast": ("AutoContrast", ()),
    "equalize": ("Equalize", ()),
    "rotate": ("Rotate", (9.0,)),
    "posterize": ("Posterize", (1,)),
    "solarize": ("Solarize", (76.8,)),
    "colour": ("Color", (0.64,)),
    "contrast": ("Contrast", (0.64,)),
    "brightness": ("Brightness", (0.64,)),
    "sharpness": ("Sharpness", (0.64,)),
    "shear_x": ("ShearX", (0.09,)),
    "shear_y": ("ShearY", (0.09,)),
    "shift_x": ("TranslateX", (30.0,)),
    "shift_y": ("TranslateY", (30.0,)),
}


class Draws:
    """A generator that draws one operation, in one direction."""

    def __init__(self, name: str, sign: int) -> None:
        self.name, self.sign = name, sign

    def choice(self, names: list[str], size: int) -> list[str]:
        assert self.name in names
        return [self.name] * size

    def random(self) -> float:
        return 0.25 if self.sign < 0 else 0.75


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", TIMM)
def test_operations_are_timms(name: str, sign: int) -> None:
    operation, values = TIMM[name]
    if OPERATIONS[name][3]:
        values = tuple(sign * value for value in values)
    expected = NAME_TO_OP[operation](IMAGE, *values, **({} if not values else {"resample": Image.Resampling.NEAREST}))
    got = rand_augment(IMAGE, RandAugment(operations=1, magnitude=9), Draws(name, sign))
    np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def test_solarize_add_is_vilts() -> None:
    levels = np.clip(np.asarray(IMAGE).astype(int) + 33, 0, 255).astype(np.uint8)
    expected = ImageOps.solarize(Image.fromarray(levels), 128)
    got = rand_augment(IMAGE, RandAugment(operations=1, magnitude=9), Draws("solarize_add", 1))
    np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def test_fourteen_operations_are_drawn_alike_and_with_replacement(monkeypatch) -> None:
    assert set(OPERATIONS) == {*TIMM, "solarize_add"}
    drawn: list[str] = []
    for name in OPERATIONS:
        noted = (lambda image, value, name=name: drawn.append(name) or image, 0, 1, False)
        monkeypatch.setitem(OPERATIONS, name, noted)
    for seed in range(2800):
        rand_augment(IMAGE, RandAugment(operations=2), np.random.default_rng(seed))
    counts = np.array([drawn.count(name) for name in OPERATIONS])
    assert counts.sum() == 5600
    assert abs(counts - 400).max() < 5 * 400**0.5
    pairs = list(zip(drawn[::2], drawn[1::2], strict=True))
    assert abs(sum(a == b for a, b in pairs) - 200) < 5 * 200**0.5


@pytest.mark.parametrize("size", [(90, 60), (40, 200)])
def test_crops_are_distributed_as_torchvisions(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    image, crop = Image.new("RGB", size), RandomCrop(area=(0.2, 0.9))
    theirs = np.array([RandomResizedCrop.get_params(image, [0.2, 0.9], [0.75, 4 / 3]) for _ in range(3000)])
    rng = np.random.default_rng(0)
    ours = np.array([crop_box(size, crop, rng) for _ in range(3000)])
    left, top, right, bottom = ours.T
    assert min(left.min(), top.min()) >= 0
    assert (right.max(), bottom.max()) <= size
    for column, values in enumerate((top, left, bottom - top, right - left)):
        assert ks_2samp(theirs[:, column], values).pvalue > 0.001


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (50, 400)])
def test_where_no_crop_fits_it_is_torchvisions_middle(size: tuple[int, int]) -> None:
    top, left, height, width = RandomResizedCrop.get_params(Image.new("RGB", size), [1.0, 1.0], [0.75, 4 / 3])
    box = crop_box(size, RandomCrop(area=(1.0, 1.0)), np.random.default_rng(0))
    assert box == (left, top, left + width, top + height)


def test_flips_and_the_same_draws_give_the_same_image() -> None:
    flips = [augment(IMAGE, Augmentation(flip=0.5), np.random.default_rng(seed)) for seed in range(400)]
    mirrored = [image == ImageOps.mirror(IMAGE) for image in flips]
    assert all(image in (IMAGE, ImageOps.mirror(IMAGE)) for image in flips)
    assert 140 < sum(mirrored) < 260
    everything = Augmentation(crop=RandomCrop(), flip=0.5, operations=RandAugment())
    one, again, other = (augment(IMAGE, everything, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    assert augment(IMAGE, Augmentation(), np.random.default_rng(0)) == IMAGE
