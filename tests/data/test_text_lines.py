"""Text files of one sample a line, and the optional tagger."""

import json
import os
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from curating import is_made, make

from compactvl.data.audit import drop_repeated
from compactvl.errors import UserError


def curate(root, out, **settings):
    return make(out, "text", {"kind": "text_lines", "path": str(root), "how_to_get": "Ask THEM."} | settings)


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "text"
    root.mkdir()
    (root / "b.train").write_bytes("\ufeffEin  Bär .\r\n\n\tYes .\nlast".encode())
    (root / "a.train").write_bytes(b"yes .\n")
    (root / "a.dev").write_bytes(b"other\n")
    return root


def test_lines_as_they_are(corpus, tmp_path):
    done = curate(corpus, tmp_path / "out")
    assert done.items[["item_id", "document", "text", "pos"]].values.tolist() == [
        ["a.train:1", "a.train", "yes .", ""],
        ["b.train:1", "b.train", "Ein Bär .", ""],
        ["b.train:3", "b.train", "Yes .", ""],
        ["b.train:4", "b.train", "last", ""],
    ]
    splits = dict(zip(done.items["item_id"], done.items["split"], strict=True))
    assert splits["a.train:1"] == splits["b.train:3"]
    assert done.manifest["lines"] == {"a.train": 1, "b.train": 4}
    assert done.manifest["empty"] == {"a.train": 0, "b.train": 1}
    assert list(curate(corpus, tmp_path / "dev", pattern="*.dev").items["text"]) == ["other"]


def test_ratios_hold_and_equal_lines_stay_together(tmp_path):
    root = tmp_path / "text"
    root.mkdir()
    (root / "x.train").write_text("".join(f"line {n % 4000}\n" for n in range(8000)))
    items = curate(root, tmp_path / "out").items
    shares = Counter(items["split"])
    for split, share in (("train", 0.8), ("val", 0.1), ("test", 0.1)):
        assert abs(shares[split] / 8000 - share) < 0.02
    assert items.groupby("text")["split"].nunique().max() == 1
    other = curate(root, tmp_path / "other", seed=1).items
    assert list(items["split"]) != list(other["split"])


def test_turkish_and_greek_are_no_leak(tmp_path):
    """Python and Arrow lower-case İ, and Σ at a word's end, each in its own way."""
    texts = [text for n in range(60) for text in (f"{n} İstanbul", f"{n} istanbul", f"{n} ΟΔΟΣ", f"{n} οδοσ")]
    (tmp_path / "x.train").write_text("\n".join(texts), encoding="utf-8")
    items = curate(tmp_path, tmp_path / "out").items
    assert set(items["split"]) == {"train", "val", "test"}
    assert len(drop_repeated(items)[0]) == len(texts)
    (tmp_path / "x.json").write_text(json.dumps(texts))
    np.save(tmp_path / "x.npy", np.zeros((len(texts), 8)))
    files = {"captions": [str(tmp_path / "x.json")], "vectors": [str(tmp_path / "x.npy")]}
    captions = make(tmp_path / "out", "c", {"kind": "babylm_captions", "dim": 8} | files).items
    assert list(captions["split"]) == list(items["split"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fine\ncaf\xe9\n", r"x\.train line 2 is not UTF-8 \(byte 3 of the line\)"),
        (b"fine\r\0\r", r"x\.train line 2 has a NUL character"),
        (b"\n \n", r"the files \*\.train of .* have no text"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path, content, message):
    (tmp_path / "x.train").write_bytes(content)
    with pytest.raises(UserError, match=message):
        curate(tmp_path, tmp_path / "out")
    assert not is_made(tmp_path)


@pytest.mark.parametrize("pattern", ["**", "**.train", ".", "..", "a/*", "a\\*"])
def test_a_pattern_that_leaves_the_folder_is_refused(corpus, tmp_path, pattern):
    with pytest.raises(UserError, match="give a file name with wildcards, without folders"):
        curate(corpus, tmp_path / "out", pattern=pattern)


def test_a_file_name_that_is_not_utf8_is_refused(corpus, tmp_path):
    (corpus / os.fsdecode(b"caf\xe9.train")).write_bytes(b"x\n")
    with pytest.raises(UserError, match=r"the name of the file .*caf\\udce9\.train is not UTF-8; rename it"):
        curate(corpus, tmp_path / "out")
    assert list(curate(corpus, tmp_path / "dev", pattern="*.dev").items["text"]) == ["other"]


def test_missing_files_say_where_to_get_them(tmp_path):
    for folder, missing in ((tmp_path / "no", "no"), (tmp_path, r"\*\.train")):
        with pytest.raises(UserError, match=rf"^datasets\.text\.path: {tmp_path}/{missing} is missing: Ask THEM"):
            curate(folder, tmp_path / "out")


def test_tagger_gives_a_tag_a_word(corpus, tmp_path, monkeypatch):
    """A stand-in for spaCy cuts "Bär." in two and knows a few words, as Universal Dependencies names them."""
    known = {"ein": "DET", "bär": "PROPN", "yes": "INTJ", ".": "PUNCT", "last": "SCONJ", '"': "PUNCT", "it": "PRON"}
    (corpus / "b.train").write_text('Ein "Bär." it\n. last\n', encoding="utf-8")

    def pipeline(text):
        import re

        return [SimpleNamespace(idx=m.start(), pos_=known[m[0].lower()]) for m in re.finditer(r"\w+|[^\w\s]", text)]

    loaded = []
    fake = SimpleNamespace(load=lambda name, exclude: loaded.append((name, exclude)) or pipeline)
    monkeypatch.setitem(sys.modules, "spacy", fake)
    done = curate(corpus, tmp_path / "out", tagger="en_core_web_sm")
    assert dict(zip(done.items["text"], done.items["pos"], strict=True)) == {
        "yes .": "PRT .",
        'Ein "Bär." it': "DET NOUN PRON",
        ". last": ". ADP",
    }
    assert loaded == [("en_core_web_sm", ["parser", "ner"])]


def test_missing_tagger_is_one_clear_line(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(UserError, match=r"datasets\.text\.tagger: spaCy is not installed"):
        curate(corpus, tmp_path / "out", tagger="en_core_web_sm")

    def load(name, exclude):
        raise OSError("E050")

    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(load=load))
    with pytest.raises(UserError, match=r"spaCy has no pipeline 'nope'"):
        curate(corpus, tmp_path / "out", tagger="nope")
