"""The Brown corpus: reading, universal tags, splits."""

import io
import tarfile
from collections import Counter

import pytest
from curating import is_made, make

from compactvl.data.brown import split_documents
from compactvl.data.brown_tags import UNIVERSAL, universal
from compactvl.data.members import read_members
from compactvl.data.ratios import SplitRatios
from compactvl.errors import UserError
from compactvl.files import sha256_file

# Counted by others (NLTK's book and corpus reader, with the map's later entry NR-TL → NOUN).
UNIVERSAL_COUNTS = {
    "NOUN": 275558, "VERB": 182750, ".": 147565, "ADP": 144766, "DET": 137019, "ADJ": 83721, "ADV": 56239,
    "PRON": 49334, "CONJ": 38151, "PRT": 29829, "NUM": 14874, "X": 1386,
}  # fmt: skip


def archive(path, **files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(f"package/{name.replace('_', '.')}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def curate(path, out):
    return make(out, "brown", {"kind": "brown"}, {"brown": path})


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("nn", "NOUN"), ("NN-TL-HL", "NOUN"), ("np$", "NOUN"), ("nr-tl", "NOUN"), ("pn", "NOUN"), ("cd$", "NOUN"),
        ("bez*", "VERB"), ("md*-hl", "VERB"), ("hvz", "VERB"), ("vb+ppo", "VERB"), ("md+hv", "VERB"),
        ("pps+bez", "PRT"), ("pps+bez-nc", "PRT"), ("nn+bez", "PRT"), ("wdt+bez-tl", "PRT"), ("ppss+ber-n", "PRT"),
        ("to", "PRT"), ("rp", "PRT"), ("ex", "PRT"), ("abn", "PRT"), ("uh", "PRT"), ("ppss+bez*", "PRT"),
        ("ppss", "PRON"), ("ppo", "PRON"), ("pp$$", "PRON"), ("wps", "PRON"), ("pp$", "DET"), ("wdt", "DET"),
        ("at-tl-hl", "DET"), ("wp$", "DET"), ("dti", "DET"), ("jjt", "ADJ"), ("ap", "ADJ"), ("od", "ADJ"),
        ("jjr+cs", "ADJ"), ("rb+cs", "ADV"), ("wrb", "ADV"), ("ql", "ADV"), ("*", "ADV"), ("*-nc", "ADV"),
        ("in", "ADP"), ("cs", "ADP"), ("in+ppo", "ADP"), ("cc-tl", "CONJ"), ("cd-tl", "NUM"), ("nn+nn-nc", "NOUN"),
        ("fw-in+at-t", "X"), ("fw-nn$-tl", "X"), ("nil", "X"), ("do+ppss", "X"), ("wdt+ber+pp", "X"),
        ("--", "."), ("---hl", "."), ("``", "."), ("(-hl", "."), (",", "."), ("'", "."), (":-tl", "."),
    ],
)  # fmt: skip
def test_universal_tags(tag, expected):
    assert universal(tag) == expected


@pytest.mark.parametrize("tag", ["", "xx", "nn+xx", "-tl", "vbzz", "nn+", "+bez"])
def test_unknown_tags_are_refused(tag):
    with pytest.raises(UserError, match="is not a tag of the Brown corpus"):
        universal(tag)


def test_small_archive(tmp_path):
    path = archive(
        tmp_path / "b.tgz",
        ca01="\n\n\t``/`` It's/pps+bez and/or/cc City/nn-tl ''/'' ./.\n\nHe/pps left/vbd\nbroken line/nn\n/nn word/\n",
        ca02="he/pps LEFT/vbd\n",
        cats_txt="ca01 news\nca02 news\n",
    )
    done = curate(path, tmp_path / "out")
    assert done.items.drop(columns="split").values.tolist() == [
        ["ca01-0000", "ca01", "news", '" It\'s and/or City " .', ". PRT CONJ NOUN . .", "`` pps+bez cc nn-tl '' ."],
        ["ca01-0001", "ca01", "news", "He left", "PRON VERB", "pps vbd"],
        ["ca02-0000", "ca02", "news", "he LEFT", "PRON VERB", "pps vbd"],
    ]
    assert set(done.items["split"]) == {"train"}
    assert done.manifest["malformed"] == {"train": 2}
    assert len(done.images) == 0


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"ca01": "a/nn\n"}, "is not lines of document and category"),
        ({"ca01": "a/nn\n", "cats_txt": "ca02 news\n"}, "no category of document ca01"),
        ({"ca01": "a/nn b/zz\n", "cats_txt": "ca01 news\n"}, "ca01 line 1: 'zz' is not a tag"),
        ({"ca01": b"caf\xe9/nn\n", "cats_txt": "ca01 news\n"}, "ca01 is not UTF-8"),
        ({"README": "x"}, "has no file package/"),
    ],
)
def test_damaged_archives_are_one_clear_line(tmp_path, files, message):
    with pytest.raises(UserError, match=message):
        curate(archive(tmp_path / "b.tgz", **files), tmp_path / "out")
    assert not is_made(tmp_path)


def test_reading_many_members_is_safe(tmp_path):
    path = archive(tmp_path / "b.tgz", ca01="x" * 1000, ca02="y")
    assert list(read_members(path, "package/ca.*")) == ["package/ca01", "package/ca02"]
    with pytest.raises(UserError, match="ca01 goes beyond the 500 bytes"):
        read_members(path, "package/ca.*", largest=500)
    with pytest.raises(UserError, match="is missing"):
        read_members(tmp_path / "no.tgz", ".*")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match="cannot be read"):
        read_members(path, ".*")


def test_every_category_is_shared_among_the_splits():
    categories = {f"{c}{n:02d}": c for c, size in (("big", 40), ("small", 6), ("pair", 2)) for n in range(size)}
    splits = split_documents(categories, SplitRatios(), 0)
    shares = Counter((categories[document], split) for document, split in splits.items())
    assert shares == {
        ("big", "train"): 32, ("big", "val"): 4, ("big", "test"): 4,
        ("small", "train"): 4, ("small", "val"): 1, ("small", "test"): 1, ("pair", "train"): 2,
    }  # fmt: skip
    assert splits == split_documents(dict(reversed(categories.items())), SplitRatios(), 0)
    assert splits != split_documents(categories, SplitRatios(), 1)
    assert set(split_documents(categories, SplitRatios(train=1, val=0, test=0), 0).values()) == {"train"}


def test_held_out_repetitions_are_dropped(tmp_path):
    documents = {f"ca{n:02d}": f"only/rb here/rb {n}/cd\nYes/rb ./.\n" for n in range(20)}
    done = curate(
        archive(tmp_path / "b.tgz", **documents, cats_txt="".join(f"{d} news\n" for d in documents)), tmp_path / "out"
    )
    assert done.manifest["repeated"] == {"val": 2, "test": 2}
    assert Counter(done.items["split"]) == {"train": 32, "val": 2, "test": 2}
    # Within a split a sentence may return.
    assert (done.split("train")["text"] == "Yes .").sum() == 16


@pytest.fixture(scope="module")
def brown(source_archive, tmp_path_factory):
    return curate(source_archive("brown"), tmp_path_factory.mktemp("brown"))


def test_the_whole_corpus(brown, source_archive, tmp_path):
    items = brown.items
    tags = Counter(tag for text in items["tags"] for tag in text.split(" "))
    pos = Counter(tag for text in items["pos"] for tag in text.split(" "))
    words = items["text"].str.count(" ") + 1
    assert (items["tags"].str.count(" ") + 1 == words).all()
    assert (items["pos"].str.count(" ") + 1 == words).all()
    assert not items["text"].str.contains("``|''", regex=True).any()
    assert set(pos) == set(UNIVERSAL)
    # Every sentence is there but the repeated ones of val and test: 57,340 sentences in the literature.
    dropped = brown.manifest["repeated"]
    assert len(items) + sum(dropped.values()) == 57340
    assert brown.manifest["malformed"] == {}
    assert brown.manifest["documents"] == {"train": 396, "val": 52, "test": 52}
    # The tags of the dropped sentences are counted from the archive itself, by a loop of its own.
    text = b"\n".join(read_members(source_archive("brown"), "package/c[a-r][0-9][0-9]").values()).decode()
    raw = Counter(token.rsplit("/", 1)[1] for token in text.split())
    assert sum(raw.values()) == 1161192
    assert len(raw) == 472
    assert set(tags) <= set(raw)
    mapped = Counter()
    for tag, number in raw.items():
        mapped[universal(tag)] += number
    assert mapped == UNIVERSAL_COUNTS
    # Nothing of val and test is in train, by brute force.
    texts = {split: set(brown.split(split)["text"].str.lower()) for split in ("train", "val", "test")}
    assert not texts["train"] & (texts["val"] | texts["test"])
    assert not texts["val"] & texts["test"]
    assert items.groupby("document")["split"].nunique().max() == 1
    assert set(brown.split("val")["category"]) == set(brown.split("test")["category"]) == set(items["category"])
    again = curate(source_archive("brown"), tmp_path)
    assert sha256_file(again.folder / "items.parquet") == sha256_file(brown.folder / "items.parquet")
