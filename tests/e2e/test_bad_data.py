"""A user's own images and captions, when they are bad: one line with the place and the remedy, and no data set."""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from bad_input import Trap, refused, told
from PIL import Image

from compactvl.cli import main as program
from compactvl.data.canonical import CanonicalSet

CSV = "image,caption,split\na.png,a dog,train\nb.png,a cat,val\nc.png,a bear,test\n"
KARPATHY = [
    {"filename": f"{name}.png", "split": split, "sentences": [{"raw": f"picture {name}", "sentid": number}]}
    for number, (name, split) in enumerate((("a", "train"), ("b", "val"), ("c", "test")))
]


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(seed: int, size: tuple[int, int] = (48, 36)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def huge_png(width: int, height: int) -> bytes:
    """A few bytes that declare so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


def karpathy(**changes) -> str:
    return json.dumps({"images": [KARPATHY[0] | changes, *KARPATHY[1:]]})


@pytest.fixture
def album(tmp_path, monkeypatch):
    """A working folder with a sound album of three images; ``curate`` makes it a data set."""
    monkeypatch.chdir(tmp_path)
    Path("data/sets").mkdir(parents=True)
    Path("album").mkdir()
    for seed, name in enumerate("abc"):
        Path(f"album/{name}.png").write_bytes(encoded(picture(seed)))
    Path("album/captions.csv").write_text(CSV)
    Path("album/dataset.json").write_text(karpathy())
    return tmp_path / "album"


def settings(**changes) -> str:
    """Write the data set's settings as snakemake does; return the file."""
    captions = {} if "karpathy" in changes else {"captions": "captions.csv"}
    body = {"kind": "folder", "path": "album", **captions, **changes}
    Path("mine.json").write_text(json.dumps({"settings": body}))
    return "mine.json"


def test_the_sound_album_is_accepted(album):
    for source in ({}, {"karpathy": "dataset.json"}):
        assert program.main(["curate", "--settings", settings(**source)]) == 0
        assert list(CanonicalSet.open("data/sets/mine").items["split"]) == ["train", "val", "test"]


JPEG = encoded(picture(7), "JPEG")
PNG = encoded(picture(7))
# id, files of the album that are written (None: removed), parts of the one line
ALBUMS = [
    # captions.csv
    ("no captions file", {"captions.csv": None}, ("datasets.mine.captions: album/captions.csv is missing: put it there",)),
    ("empty file", {"captions.csv": ""}, ("album/captions.csv: no column 'image'", "the first line must be")),
    ("header alone", {"captions.csv": "image,caption\n"}, ("album/captions.csv has no captions", "one row a caption")),
    ("no column caption", {"captions.csv": "image,text\na.png,x\n"}, ("captions.csv: no column 'caption' (columns: image, text)",)),
    ("semicolons", {"captions.csv": CSV.replace(",", ";")}, ("captions.csv: no column 'image' (columns: image;caption;split)",)),
    ("misspelt column", {"captions.csv": CSV.replace("split", "spilt")}, ("captions.csv: unknown column 'spilt'; did you mean \"split\"?",)),
    ("column twice", {"captions.csv": "image,caption,caption\na.png,x,y\n"}, ("captions.csv: two columns are named 'caption'",)),
    ("Latin-1", {"captions.csv": CSV.replace("bear", "Bär").encode("latin-1")}, ("captions.csv line 4 is not UTF-8", "save the file as UTF-8")),
    ("UTF-16", {"captions.csv": CSV.encode("utf-16")}, ("captions.csv line 1 is not UTF-8",)),
    ("NUL bytes", {"captions.csv": CSV.replace("a dog", "a \0dog")}, ("captions.csv line 2: caption of 'a.png' has a NUL character",)),
    ("open quotes", {"captions.csv": CSV.replace("a bear", '"a bear')}, ("captions.csv: the row from line 4 on cannot be read as CSV", "check its quotes")),
    ("comma without quotes", {"captions.csv": CSV.replace("a cat", "a cat, asleep")}, ("captions.csv line 3: too many columns", "double quotes")),
    ("unknown image", {"captions.csv": CSV + "d.png,a fox,test\n"}, ("captions.csv line 5: caption of unknown image 'd.png'", "album/d.png is missing")),
    ("image outside the folder", {"captions.csv": CSV + "../mine.json,a fox,test\n"}, ("captions.csv line 5: ", "must be a path below the image folder")),
    ("absolute path", {"captions.csv": CSV + "/etc/passwd,a fox,test\n"}, ("captions.csv line 5: ", "must be a path below")),
    ("folder as an image", {"captions.csv": CSV + ".,a fox,test\n"}, ("captions.csv line 5: ", "must be a path below")),
    ("empty caption", {"captions.csv": CSV.replace("a cat", " ")}, ("captions.csv line 3: caption '' of 'b.png' has no words", "write one or take it out")),
    ("caption without words", {"captions.csv": CSV.replace("a cat", "!?")}, ("captions.csv line 3: caption '!?' of 'b.png' has no words",)),
    ("row twice", {"captions.csv": CSV + "./a.png,a dog,train\n"}, ("captions.csv line 5: the same image and caption as line 2",)),
    ("image in two splits", {"captions.csv": CSV + "a.png,my dog,test\n"}, ("captions.csv line 5: 'a.png' is in split 'train' and 'test'",)),
    ("unknown split", {"captions.csv": CSV.replace("test", "trial")}, ("captions.csv line 4: unknown split 'trial'; use one of train",)),
    ("split of some", {"captions.csv": CSV.replace(",test", ",")}, ("captions.csv: some images have a split, 'c.png' has none",)),
    ("empty split", {"captions.csv": CSV.replace("val", "train")}, ("datasets.mine: split 'val' has no images", "take it out of 'splits'")),
    # images
    ("no image", {"b.png": b"<html>404</html>"}, ("album/b.png is not a readable image (it is text", "take it out of the captions")),
    ("empty image", {"b.png": b""}, ("album/b.png is not a readable image",)),
    ("truncated JPEG", {"b.png": JPEG[: len(JPEG) // 2]}, ("album/b.png is not a readable image (image file is truncated",)),
    ("truncated PNG", {"b.png": PNG[: len(PNG) // 2]}, ("album/b.png is not a readable image",)),
    ("damaged PNG", {"b.png": PNG[:60] + bytes(40) + PNG[100:]}, ("album/b.png is not a readable image",)),
    ("decompression bomb", {"b.png": huge_png(60000, 60000)}, ("album/b.png is not a readable image (over 178,956,970 pixels",)),
    ("pickle as an image", {"b.png": Trap(Path("evil")).pickled()}, ("album/b.png is not a readable image",)),
    ("image that is a folder", {"b.png": None, "b.png/x": b""}, ("captions.csv line 3: caption of unknown image 'b.png'",)),
    # leaks
    ("file in two splits", {"c.png": PNG, "a.png": PNG}, ("leaks: the same image in two splits, album/a.png (train) and album/c.png (test)", "put both in one split")),
    ("picture in two splits", {"c.png": PNG, "a.png": encoded(picture(7), "PNG", compress_level=1)}, ("leaks: the same image in two splits, album/a.png (train) and album/c.png (test)",)),
]  # fmt: skip
KARPATHY_FILES = [
    ("broken JSON", karpathy()[:-9], ("album/dataset.json line 1 column ", "is not JSON", "get the file again")),
    ("Latin-1 JSON", '{\n"images": "Bär"}'.encode("latin-1"), ("album/dataset.json line 2 is not UTF-8",)),
    ("nested without end", "[" * 200_000, ("album/dataset.json is not JSON",)),
    ("a list", "[]", ("album/dataset.json is not a Karpathy split file", "'images'")),
    ("entry is text", '{"images": ["a.png"]}', ("dataset.json images[0]: 'filename' is missing",)),
    ("no split", karpathy(split=None), ("dataset.json: some images have a split, 'a.png' has none",)),
    ("unknown split name", karpathy(split="trial"), ("dataset.json images[0]: unknown split 'trial'; use one of train",)),
    ("file name twice", karpathy(filename="b.png"), ("dataset.json images[1]: file name 'b.png' occurs twice",)),
    ("sentence id twice", karpathy(sentences=[{"raw": "x", "sentid": 1}]), ("dataset.json images[1]: sentence id 1 occurs twice",)),
    ("sentence without words", karpathy(sentences=[{"raw": "..."}]), ("dataset.json images[0].sentences[0]: caption '...'",)),
    ("image not there", karpathy(filename="z.png"), ("dataset.json: captions of unknown image 'z.png'",)),
    ("out of the folder", karpathy(filepath="../.."), ("dataset.json images[0]: ", "must be a path below the image folder")),
]  # fmt: skip


@pytest.mark.parametrize(("files", "parts"), [case[1:] for case in ALBUMS], ids=[case[0] for case in ALBUMS])
def test_a_bad_album_is_refused(album, capsys, files, parts):
    for name, content in files.items():
        if content is None:
            (album / name).unlink()
            continue
        (album / name).parent.mkdir(exist_ok=True)
        (album / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    told(refused(capsys, "curate", "--settings", settings()), parts)


@pytest.mark.parametrize(
    ("content", "parts"), [case[1:] for case in KARPATHY_FILES], ids=[case[0] for case in KARPATHY_FILES]
)
def test_a_bad_karpathy_file_is_refused(album, capsys, content, parts):
    (album / "dataset.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    told(refused(capsys, "curate", "--settings", settings(karpathy="dataset.json")), parts)


def test_what_was_there_before_a_refused_album_stays(album, capsys):
    """A folder with another file in it, and a set of before whose album is now bad."""
    assert program.main(["curate", "--settings", settings()]) == 0
    Path("data/sets/mine/notes.txt").write_text("mine")
    (album / "captions.csv").write_text(CSV + "d.png,a fox,test\n")
    refused(capsys, "curate", "--settings", settings())
    assert len(CanonicalSet.open("data/sets/mine")) == 3


def test_a_published_split_with_an_image_in_two_is_counted(album):
    """COCO and Flickr30k are taken as they are published; the manifest says what they share."""
    (album / "c.png").write_bytes((album / "a.png").read_bytes())
    body = {"kind": "karpathy", "images": "album", "annotations": "album/dataset.json", "how_to_get": "Ask."}
    Path("coco.json").write_text(json.dumps({"settings": body}))
    assert program.main(["curate", "--settings", "coco.json"]) == 0
    assert CanonicalSet.open("data/sets/coco").manifest["in_two_splits"] == {"c.png": "a.png"}


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def two_halves(left: tuple[int, ...], right: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (40, 20), left)
    image.paste(right, (20, 0, 40, 20))
    return image


RAMP = np.repeat(np.linspace(0, 65535, 40).astype(np.uint16)[None], 20, axis=0)
DARK = np.tile(np.array([0, 200], np.uint16), (20, 20))
RED, BLUE = (255, 0, 0), (0, 0, 255)
# id, file name, bytes, size, {(x, y): colour}
LEGAL = [
    ("CMYK JPEG", "x.jpg", encoded(two_halves((0, 255, 255, 0), (255, 255, 0, 0), "CMYK"), "JPEG", quality=95), (40, 20), {(5, 10): RED, (35, 10): BLUE}),
    ("16-bit PNG", "x.png", encoded(Image.fromarray(RAMP)), (40, 20), {(0, 0): (0,) * 3, (20, 5): (round(RAMP[0, 20] / 257),) * 3, (39, 0): (255,) * 3}),
    ("16-bit PNG, dark", "x.png", encoded(Image.fromarray(DARK)), (40, 20), {(0, 0): (0,) * 3, (1, 0): (1,) * 3}),
    ("32-bit TIFF", "x.tif", encoded(Image.fromarray(RAMP.astype(np.int32) * 2), "TIFF"), (40, 20), {(0, 0): (0,) * 3, (39, 0): (255,) * 3}),
    ("float TIFF", "x.tif", encoded(Image.fromarray((RAMP / 65535).astype(np.float32)), "TIFF"), (40, 20), {(0, 0): (0,) * 3, (39, 0): (255,) * 3}),
    ("animated GIF", "x.gif", encoded(two_halves(RED, RED), "GIF", save_all=True, append_images=[two_halves(BLUE, BLUE)]), (40, 20), {(5, 10): RED}),
    ("animated WebP", "x.webp", encoded(two_halves(RED, RED), "WEBP", lossless=True, save_all=True, append_images=[two_halves(BLUE, BLUE)]), (40, 20), {(5, 10): RED}),
    ("turned JPEG", "x.jpg", encoded(two_halves(RED, BLUE), "JPEG", quality=95, exif=exif(6)), (20, 40), {(10, 5): RED, (10, 35): BLUE}),
    ("mirrored PNG", "x.png", encoded(two_halves(RED, BLUE), exif=exif(2)), (40, 20), {(5, 10): BLUE, (35, 10): RED}),
    ("transparent PNG", "x.png", encoded(two_halves((255, 0, 0, 255), (0, 0, 255, 0), "RGBA")), (40, 20), {(5, 10): RED, (35, 10): (255, 255, 255)}),
    ("one bit", "x.png", encoded(two_halves((0,), (1,), "1")), (40, 20), {(5, 10): (0, 0, 0), (35, 10): (255, 255, 255)}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "size", "pixels"), [case[1:] for case in LEGAL], ids=[case[0] for case in LEGAL]
)
def test_an_unusual_picture_comes_out_right(album, name, data, size, pixels):
    """Stored RGB, 8 bits, upright, scaled and not clipped; and the encoders' decoder sees the file itself alike."""
    from compactvl.vision.preprocessing import decode

    (album / name).write_bytes(data)
    (album / "captions.csv").write_text(CSV + f"{name},a test,train\n")
    assert program.main(["curate", "--settings", settings()]) == 0
    stored = Image.open(io.BytesIO(CanonicalSet.open("data/sets/mine").image_bytes(name)))
    for image in (stored, decode(data)):
        assert (image.mode, image.size) == ("RGB", size)
        for place, colour in pixels.items():
            difference = np.abs(np.subtract(image.getpixel(place), colour)).max()
            assert difference <= (0 if stored.format == "PNG" else 6), (place, image.getpixel(place), colour)
    assert not stored.getexif()
