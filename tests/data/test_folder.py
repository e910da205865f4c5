"""Own images: captions.csv, Karpathy JSON."""

import io
import json

import pytest
from curating import is_made, make
from photographed import photo
from PIL import Image

from compactvl.data.ratios import SplitRatios
from compactvl.errors import UserError

HEADER = "image,caption,split\n"


@pytest.fixture
def album(tmp_path):
    for n, name in enumerate(("a.jpg", "b.png", "sub/c.webp")):
        photo(tmp_path / "album" / name, n, size=(40, 30))
    (tmp_path / "album" / "captions.csv").write_text(
        HEADER + 'a.jpg,a dog,train\na.jpg,"a dog, running",train\n./b.png,ein Bär,val\nsub/c.webp,a  cat ,test\n',
        encoding="utf-8",
    )
    return tmp_path / "album"


def curate(album, out, **settings):
    return make(out, "mine", {"kind": "folder", "path": str(album), "captions": "captions.csv"} | settings)


def test_folder_becomes_a_data_set(album, tmp_path):
    done = curate(album, tmp_path / "out")
    assert list(done.images["image_id"]) == ["a.jpg", "b.png", "sub/c.webp"]
    assert list(done.items["caption"]) == ["a dog", "a dog, running", "ein Bär", "a cat"]
    assert list(done.items["split"]) == ["train", "train", "val", "test"]
    assert Image.open(io.BytesIO(done.image_bytes("sub/c.webp"))).mode == "RGB"
    small = curate(album, tmp_path / "small", max_side=32)
    assert Image.open(io.BytesIO(small.image_bytes("a.jpg"))).size == (32, 24)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,caption\na.jpg,x\n", "no column 'image'"),
        (HEADER.encode() + b"a.jpg,a dog,train\na.jpg,caf\xe9,train\n", r"captions\.csv line 3 is not UTF-8"),
        (HEADER.encode() + b"A dog and " * 40 + b",a.jpg,train\n", "line 2: caption of unknown image 'A dog and A dog"),
        (HEADER.encode() + b"A.JPG,a dog,train\n", r"album/A\.JPG is missing \(there is 'a\.jpg', spelt otherwise\)"),
        (
            HEADER.encode() + b'a.jpg,a dog,train\na.jpg,"a cat,train\nb.png,x,test\n',
            r"the row from line 3 on .*quotes",
        ),
        (HEADER.encode() + b"a.jpg," + b"x " * 70000 + b",train\n", r"the row from line 2 on .*field larger than"),
        (HEADER.encode() + b"a.jpg,a\0dog,train\n", "line 2: caption of 'a.jpg' has a NUL character"),
        (HEADER.encode() + b"nope.jpg,a dog,train\n", "line 2: caption of unknown image 'nope.jpg'"),
        (HEADER.encode() + b"../x.jpg,a dog,train\n", "must be a path below the image folder"),
        (HEADER.encode() + b"a.jpg,,train\n", "line 2: caption '' of 'a.jpg' has no words"),
        (
            HEADER.encode() + b"a.jpg,a dog,train\na.jpg,?!,train\n",
            r"captions\.csv line 3: caption '\?!' of 'a\.jpg' has no words",
        ),
        (HEADER.encode() + b"a.jpg,a dog,training\n", "unknown split 'training'"),
        (HEADER.encode() + b"a.jpg,a dog,train\na.jpg,my dog,test\n", "line 3: 'a.jpg' is in split 'train' and 'test'"),
        (HEADER.encode() + b"a.jpg,a dog,train\n./a.jpg,a dog,train\n", "line 3: the same image and caption as line 2"),
        (HEADER.encode() + b"a.jpg,a dog,train\nb.png,a bear,\n", "'b.png' has none"),
        (HEADER.encode() + b"a.jpg,a dog, brown,train\n", "too many columns"),
        (HEADER.encode() + b"a.jpg,a dog,train\n", "split 'val' has no images"),
        (HEADER.encode(), "has no captions"),
        (b"", "no column 'image'"),
    ],
)
def test_bad_captions_are_one_clear_line(album, tmp_path, content, message):
    (album / "captions.csv").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        curate(album, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not is_made(tmp_path)


def test_broken_image_is_named(album, tmp_path):
    whole = (album / "a.jpg").read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"no image"):
        (album / "a.jpg").write_bytes(broken)
        with pytest.raises(UserError, match=r"a\.jpg is not a readable image"):
            curate(album, tmp_path / "out")


def test_the_same_photo_in_two_splits_is_a_leak(album, tmp_path):
    photo(album / "b.png", 5)
    photo(album / "d.png", 5)
    (album / "captions.csv").write_text(HEADER + "a.jpg,x,val\nb.png,y,train\nd.png,z,test\n")
    with pytest.raises(UserError, match="same image in two splits"):
        curate(album, tmp_path / "out")
    assert not is_made(tmp_path)


def test_ratios_hold_and_adding_images_moves_none():
    ratios = SplitRatios(train=0.7, val=0.1, test=0.2)
    ids = [f"{n}.jpg" for n in range(4000)]
    splits = [ratios.split_of(i, 0) for i in ids]
    for split in ("train", "val", "test"):
        assert abs(splits.count(split) / 4000 - getattr(ratios, split)) < 0.03
    assert splits != [ratios.split_of(i, 1) for i in ids]
    assert {SplitRatios(train=1, val=0, test=0).split_of(i, 0) for i in ids} == {"train"}


def karpathy_file(path, **changes):
    images = [
        {"filename": "a.jpg", "filepath": "val2014", "split": "restval", "sentences": [{"raw": "A dog.", "sentid": 4}]},
        {"filename": "b.jpg", "filepath": "val2014", "split": "test", "sentences": [{"raw": "A cat.\n", "sentid": 5}]},
    ]
    images[0].update(changes)
    path.write_text(json.dumps({"images": images}))


def karpathy_settings(tmp_path):
    files = {"images": str(tmp_path / "coco"), "annotations": str(tmp_path / "dataset.json")}
    return {"kind": "karpathy", **files, "how_to_get": "Get it THERE."}


def test_karpathy(tmp_path):
    settings = karpathy_settings(tmp_path)
    with pytest.raises(UserError) as caught:
        make(tmp_path / "out", "coco", settings)
    assert str(caught.value).splitlines() == [
        f"datasets.coco.images: the folder {tmp_path}/coco is missing: Get it THERE.",
        f"datasets.coco.annotations: {tmp_path}/dataset.json is missing: Get it THERE.",
    ]
    karpathy_file(tmp_path / "dataset.json")
    photo(tmp_path / "coco" / "val2014" / "a.jpg", 1)
    with pytest.raises(UserError, match=r"1 of 2 images are missing .*b\.jpg. Get it THERE"):
        make(tmp_path / "out", "coco", settings)
    photo(tmp_path / "coco" / "val2014" / "b.jpg", 2)
    done = make(tmp_path / "out", "coco", settings)
    assert done.items[["item_id", "image_id", "split", "caption"]].values.tolist() == [
        ["4", "a.jpg", "train", "A dog."],
        ["5", "b.jpg", "test", "A cat."],
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filename": "b.jpg"}, "file name 'val2014/b.jpg' occurs twice"),
        ({"sentences": [{"raw": "x", "sentid": 5}]}, "sentence id 5 occurs twice"),
        ({"sentences": []}, "'a.jpg' has no list of sentences; give it captions"),
        ({"sentences": None}, "'a.jpg' has no list of sentences; give it captions"),
        ({"sentences": [{"raw": None}]}, r"images\[0\]\.sentences\[0\]: 'raw' is missing; an image has"),
        ({"sentences": [{"raw": " "}]}, r"caption '' of 'a\.jpg' has no words"),
        ({"filename": None}, r"images\[0\]: 'filename' is missing"),
        ({"filename": 5}, r"images\[0\]: 'filename' is 5, no text"),
        ({"filename": ["a.jpg"]}, r"images\[0\]: 'filename' is \['a\.jpg'\], no text"),
        ({"filename": "x" * 300}, r"2 of 2 images are missing"),
        ({"split": None}, "some images have a split, 'a.jpg' has none; give all of them one, or none"),
        (
            {"sentences": [{"raw": "x", "sentid": 4}, {"raw": "...", "sentid": 6}]},
            r"images\[0\]\.sentences\[1\]: caption '\.\.\.' of 'a\.jpg'",
        ),
        ({"split": "trial"}, "unknown split 'trial'"),
        ({"filepath": "../.."}, "must be a path below the image folder"),
    ],
)
def test_bad_karpathy_entries_are_named(tmp_path, changes, message):
    karpathy_file(tmp_path / "dataset.json", **changes)
    (tmp_path / "coco").mkdir()
    with pytest.raises(UserError, match=message):
        make(tmp_path / "out", "coco", karpathy_settings(tmp_path))


def test_karpathys_form_for_images_of_ones_own(tmp_path):
    """Images numbered anew in each folder; what is left out, or null, is not needed."""
    entries = []
    for number, folder in enumerate(("red", "blue")):
        photo(tmp_path / "own" / folder / "1.jpg", number)
        sentences = [{"raw": f"A {folder} thing.", "sentid": None}, {"raw": "A thing."}]
        entries.append({"filename": "1.jpg", "filepath": folder, "split": None, "sentences": sentences})
    photo(tmp_path / "own" / "2.jpg", 2)
    entries.append({"filename": "2.jpg", "filepath": None, "sentences": [{"raw": "Two."}]})
    (tmp_path / "own" / "d.json").write_text(json.dumps({"images": entries}))
    settings = {"kind": "folder", "path": str(tmp_path / "own"), "karpathy": "d.json", "splits": []}
    done = make(tmp_path / "out", "own", settings)
    assert sorted(done.items[["item_id", "image_id", "caption"]].values.tolist()) == [
        ["2.jpg#0", "2.jpg", "Two."],
        ["blue/1.jpg#0", "blue/1.jpg", "A blue thing."],
        ["blue/1.jpg#1", "blue/1.jpg", "A thing."],
        ["red/1.jpg#0", "red/1.jpg", "A red thing."],
        ["red/1.jpg#1", "red/1.jpg", "A thing."],
    ]
    published = {"kind": "karpathy", "images": settings["path"], "annotations": str(tmp_path / "own" / "d.json")}
    with pytest.raises(UserError, match="has no splits; for images of your own use kind folder"):
        make(tmp_path / "out", "coco", published | {"how_to_get": "Get it THERE."})


def test_real_photographs(samples, tmp_path):
    if not (samples / "flickr8k_600").is_dir():
        pytest.skip("the sample data has no flickr8k_600")
    settings = {"kind": "folder", "path": str(samples / "flickr8k_600"), "karpathy": "dataset.json", "max_side": 64}
    done = make(tmp_path, "flickr", settings)
    assert len(done) == 600
    assert len(done.items) == 3000
    assert set(done.items["split"]) == {"train", "val", "test"}
    assert max(Image.open(io.BytesIO(done.image_bytes(done.images["image_id"][0]))).size) == 64
