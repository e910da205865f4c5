"""Decoding and resizing: every kind of file a user may bring."""

import io
import resource

import numpy as np
import pytest
from PIL import Image
from timm.data import create_transform

from compactvl.errors import UserError
from compactvl.vision.preprocessing import INTERPOLATIONS, Preprocessing, decode

MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def stored(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def half_red(width: int = 40, height: int = 20) -> Image.Image:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 255
    return Image.fromarray(pixels)


def test_transparency_is_over_white() -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (np.asarray(decode(stored(image))) == 255).all()
    palette = image.convert("P")
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert (np.asarray(decode(stored(palette, "GIF", transparency=palette.getpixel((0, 0))))) == 255).all()


def test_exif_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter
    turned = decode(stored(half_red(), "JPEG", exif=exif))
    assert turned.size == (20, 40)
    assert np.asarray(turned)[5, 10, 0] > 200
    assert np.asarray(turned)[35, 10, 0] < 50


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "P", "LA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert decode(stored(half_red().convert(mode), kind)).mode == "RGB"


def test_sixteen_bit_grey_is_scaled() -> None:
    image = Image.fromarray(np.full((3, 3), 32896, np.uint16))
    assert np.asarray(decode(stored(image)))[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_shapes(resize: str) -> None:
    for size in ((40, 20), (20, 40), (300, 3), (1, 1)):
        array = Preprocessing(28, resize, "bicubic", MEAN, STD, 0.875)(stored(Image.new("RGB", size)))
        assert array.shape == (3, 28, 28)
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous


def test_resize_modes_differ_as_they_should() -> None:
    data = stored(half_red(40, 20))
    crop = Preprocessing(20, "crop", "bilinear", MEAN, STD)(data)
    np.testing.assert_array_equal(crop, np.asarray(half_red(40, 20))[:, 10:30].transpose(2, 0, 1))
    pad = Preprocessing(20, "pad", "bilinear", MEAN, STD)(data)
    assert (pad[:, :5] == 255).all()
    assert (pad[:, 15:] == 255).all()
    squash = Preprocessing(20, "squash", "nearest", MEAN, STD)(data)
    assert (squash[0, :, :10] == 255).all()
    assert (squash[0, :, 10:] == 0).all()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(5, 40), (40, 5), (7, 7), (25, 31), (1, 300), (29, 28)])
def test_cropping_before_enlarging_shows_what_cropping_after_it_does(
    size: tuple[int, int], interpolation: str, monkeypatch
) -> None:
    monkeypatch.setattr("compactvl.vision.preprocessing.MUCH", 0)
    # Far from black and white, where clipping between Pillow's two passes makes their order matter.
    noise = np.random.default_rng(0).integers(96, 160, (size[1], size[0], 3), dtype=np.uint8)
    image, side = Image.fromarray(noise), 32
    short = int(side / 0.875)
    width, height = (int(short * edge / min(size)) for edge in size)
    left, top = (round((edge - side) / 2) for edge in (width, height))
    whole = image.resize((width, height), INTERPOLATIONS[interpolation]).crop((left, top, left + side, top + side))
    expected = np.asarray(whole).transpose(2, 0, 1).astype(int)
    got = Preprocessing(side, "crop", interpolation, MEAN, STD, 0.875)(stored(image)).astype(int)
    # Pillow takes the box in single precision, so a nearest neighbour on the border of two may be the other one.
    assert np.quantile(np.abs(got - expected), 0.95 if interpolation == "nearest" else 1) <= 2


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("crop_fraction", [0.875, 0.9, 0.95, 0.936, 1.0])
@pytest.mark.parametrize("size", [(100, 75), (75, 101), (103, 77), (64, 64), (65, 64), (67, 64), (33, 57)])
def test_a_crop_is_timms(size: tuple[int, int], crop_fraction: float, interpolation: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    for side in (56, 58):
        theirs = create_transform((3, side, side), interpolation=interpolation, crop_pct=crop_fraction, mean=0, std=1)
        ours = Preprocessing(side, "crop", interpolation, MEAN, STD, crop_fraction)(stored(image))
        np.testing.assert_array_equal(ours, (theirs(image) * 255).round().numpy())


def test_a_square_that_is_kept_whole_is_only_resized() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8))
    expected = np.asarray(image.resize((56, 56), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    np.testing.assert_array_equal(Preprocessing(56, "crop", "bicubic", MEAN, STD)(stored(image)), expected)


@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1)])
def test_a_picture_of_one_column_takes_little_memory(size: tuple[int, int], resize: str) -> None:
    data = stored(Image.new("RGB", size))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Preprocessing(384, resize, "bicubic", MEAN, STD)(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("data", [b"", b"not an image", stored(half_red())[:60]])
def test_bad_bytes_are_one_clear_line(data: bytes) -> None:
    with pytest.raises(UserError, match="cannot be decoded") as caught:
        decode(data)
    assert "\n" not in str(caught.value)
