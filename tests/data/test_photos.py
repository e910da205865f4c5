"""Photographs of many forms."""

import io
import zlib

import numpy as np
import pytest
from photographed import photo
from PIL import Image, TiffImagePlugin

from compactvl.data import pixels
from compactvl.data.photos import read_photo
from compactvl.errors import UserError


def test_photographs_of_many_forms(tmp_path):
    photo(tmp_path / "turned.jpg", size=(40, 30), exif=_orientation(6))
    assert Image.open(io.BytesIO(read_photo(tmp_path / "turned.jpg"))).size == (30, 40)
    assert not Image.open(io.BytesIO(read_photo(tmp_path / "turned.jpg"))).getexif()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert Image.open(io.BytesIO(read_photo(tmp_path / "clear.png"))).getpixel((0, 0)) == (255, 255, 255)
    Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(tmp_path / "deep.tiff")
    assert Image.open(io.BytesIO(read_photo(tmp_path / "deep.tiff"))).getpixel((0, 0)) == (255, 255, 255)
    for mode, name in (
        ("L", "grey.png"),
        ("P", "palette.gif"),
        ("CMYK", "print.jpg"),
        ("1", "bits.png"),
        ("LA", "la.png"),
    ):
        Image.new(mode, (8, 8)).save(tmp_path / name)
        assert Image.open(io.BytesIO(read_photo(tmp_path / name))).mode == "RGB"


def with_chunk(png: bytes, name: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    checksum = zlib.crc32(name + content).to_bytes(4, "big")
    return png[:33] + len(content).to_bytes(4, "big") + name + content + checksum + png[33:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 << 20))),
        (b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(bytes(70 << 20))),
        (b"iCCP", b"screen\0\0" + zlib.compress(bytes(3 << 20))),
        (b"pHYs", b"cut"),
        (b"eXIf", b"rubbish"),
    ],
)
def test_metadata_refuse_no_picture(name, content, tmp_path):
    photo(tmp_path / "plain.png", 1)
    plain = (tmp_path / "plain.png").read_bytes()
    (tmp_path / "full.png").write_bytes(with_chunk(plain, name, content))
    assert read_photo(tmp_path / "full.png") == read_photo(tmp_path / "plain.png")
    # A picture that is damaged itself is refused as before, whatever stands beside it.
    (tmp_path / "cut.png").write_bytes(with_chunk(plain, name, content)[:-300])
    with pytest.raises(UserError, match=r"cut\.png is not a readable image"):
        read_photo(tmp_path / "cut.png")


def test_orientation_is_read_beside_damaged_metadata(tmp_path):
    photo(tmp_path / "turned.png", size=(40, 30), exif=_orientation(6))
    (tmp_path / "turned.png").write_bytes(with_chunk((tmp_path / "turned.png").read_bytes(), b"pHYs", b"cut"))
    assert Image.open(io.BytesIO(read_photo(tmp_path / "turned.png"))).size == (30, 40)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "HEIC photo.* save it as JPEG"),
        (b"<!DOCTYPE html>\n<title>404 Not Found</title>", "it is text, which begins with '<!DOCTYPE html> <title>"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
            "it is text, which begins with 'version https",
        ),
        (b"\xef\xbb\xbf<html>", "it is text, which begins with '<html>'"),
        ("<html>".encode("utf-16"), "it is text, which begins with '<html>'"),
        (b"%PDF-1.4\n%\xff\xff\n", "a PDF document: save its picture as JPEG or PNG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "a damaged PNG"),
        (b"II*\0" + bytes(9), "a damaged TIFF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(9), "a damaged JPEG 2000"),
        (b"8BPS", "a damaged PSD"),
        (b"\0\0\0\x1cftypavif" + bytes(100), "an AVIF photo that Pillow cannot read: save it as JPEG"),
        (bytes(range(128, 228)), "no image format that Pillow knows"),
    ],
)
def test_what_is_no_image_is_told(content, said, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(UserError, match=rf"photo\.jpg is not a readable image \(.*{said}") as caught:
        read_photo(tmp_path / "photo.jpg")
    assert "\n" not in str(caught.value)


def _orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize(("name", "size"), [("wide.tga", (65535, 1)), ("wide.jp2", (70000, 2))])
def test_what_is_too_long_for_jpeg_is_stored_as_png(name, size, tmp_path):
    Image.new("RGB", size, (9, 9, 9)).save(tmp_path / name)
    stored = Image.open(io.BytesIO(read_photo(tmp_path / name)))
    assert (stored.format, stored.size) == ("PNG", size)


@pytest.mark.parametrize("tags", [{254: 1}, {50706: b"\1\4\0\0"}])
def test_the_thumbnail_of_camera_raw_is_not_its_picture(tags, tmp_path):
    Image.new("RGB", (16, 12)).save(tmp_path / "a.dng", "TIFF", tiffinfo={254: 0})
    read_photo(tmp_path / "a.dng")
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info[tag] = value
    Image.new("RGB", (16, 12)).save(tmp_path / "a.dng", "TIFF", tiffinfo=info)
    with pytest.raises(UserError, match=r"a\.dng is not a readable image \(camera raw.*convert it to JPEG or PNG"):
        read_photo(tmp_path / "a.dng")


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_of_16_bits_is_refused(depth, tmp_path):
    """Two pixels, of which the first has the transparent colour."""
    colours = np.array([[0x12] * 3, [0] * 3], f">u{depth // 8}")
    header = b"".join(side.to_bytes(4, "big") for side in (2, 1)) + bytes([depth, 2, 0, 0, 0])
    chunks = (
        (b"IHDR", header),
        (b"tRNS", b"\0\x12" * 3),
        (b"IDAT", zlib.compress(b"\0" + colours.tobytes())),
        (b"IEND", b""),
    )
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")
            for name, body in chunks
        )
    )
    if depth == 16:
        with pytest.raises(UserError, match=r"a\.png is not a readable image \(a 16-bit PNG with a transparent colour"):
            read_photo(tmp_path / "a.png")
    else:
        stored = Image.open(io.BytesIO(read_photo(tmp_path / "a.png")))
        assert np.asarray(stored)[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("largest", [200, 65535, 3 * 10**9, 0.5, 1e12])
def test_greys_of_many_bits_are_scaled_in_blocks_of_rows(largest, monkeypatch):
    kind = np.float32 if isinstance(largest, float) else np.int32 if largest > 65535 else np.uint16
    grey = (np.random.default_rng(0).random((20, 7)) * min(largest, 2e9 if kind is np.int32 else largest)).astype(kind)
    image = Image.fromarray(grey)
    whole = pixels._eight_bits(image)
    monkeypatch.setattr(pixels, "BLOCK", 21)
    assert (pixels._eight_bits(image) == whole).all()
    top = 65535 if kind is np.uint16 else 1 if largest == 0.5 else float(grey.max())
    assert (whole == np.floor(grey.astype(np.float64) * (255.0 / top) + 0.5)).all()
