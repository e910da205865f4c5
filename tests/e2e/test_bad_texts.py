"""Text files, BabyLM's files and image vectors, when they are bad: one line with the place and the remedy, no data set."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from bad_input import Trap, refused, told

from compactvl.cli import main as program
from compactvl.data.vector_file import VectorFiles
from compactvl.errors import UserError

PAIR = {"sentence_good": "He was here.", "sentence_bad": "He were here."}
VQA = {"question": "What is it?", "target_ans": "dog", "distractors": list("abcdefg")}
EWOK = {"Context1": "A is left.", "Context2": "A is right.", "Target1": "L", "Target2": "R", "Domain": "spatial"}
SETTINGS = {
    "blimp": {"kind": "blimp", "path": "in/x.jsonl", "how_to_get": "Ask THEM."},
    "folder": {"kind": "blimp", "path": "in", "how_to_get": "Ask THEM."},
    "ewok": {"kind": "ewok", "path": "in/x.jsonl"},
    "winoground": {"kind": "babylm_winoground", "path": "in/x.jsonl"},
    "vqa": {"kind": "vqa", "path": "in/x.json", "vectors": "in/v.npy", "dim": 4},
    "text": {"kind": "text_lines", "path": "in", "how_to_get": "Ask THEM."},
    "captions": {"kind": "babylm_captions", "captions": ["in/c.json"], "vectors": ["in/v.npy"], "dim": 4},
}


def lines(*records) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def npy(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def not_finite() -> np.ndarray:
    array = np.zeros((3, 4), np.float32)
    array[2, 1] = np.nan
    return array


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, np.zeros((3, 4)))
    return buffer.getvalue()


def huge_header() -> bytes:
    """An ``.npy`` file that declares more rows than there are bytes on any disk."""
    return npy(np.zeros((3, 4), np.float32)).replace(b"(3, 4), }" + b" " * 16, b"(3000000000000000, 4), }  ", 1)


CAPTIONS = json.dumps(["a dog", "a cat", "a bear"])
VECTORS = npy(np.ones((3, 4), np.float32))
SOUND_CAPTIONS = {"c.json": CAPTIONS, "v.npy": VECTORS}
SOUND_VQA = {"x.json": json.dumps([VQA] * 3), "v.npy": VECTORS}
# id, settings, files of the folder in/, parts of the one line
FILES = [
    # one record a line
    ("no file", "blimp", {}, ("datasets.mine.path: in/x.jsonl is missing: Ask THEM.",)),
    ("no records", "blimp", {"x.jsonl": "\n"}, ("in/x.jsonl has no records",)),
    ("half a line", "blimp", {"x.jsonl": lines(PAIR) + '{"sentence_good": '}, ("in/x.jsonl line 2 is not JSON",)),
    ("nested without end", "blimp", {"x.jsonl": "[" * 200_000}, ("in/x.jsonl line 1 is not JSON",)),
    ("number of 5000 digits", "blimp", {"x.jsonl": "9" * 5000}, ("in/x.jsonl line 1 is not JSON",)),
    ("list for a record", "blimp", {"x.jsonl": "[1]"}, ("in/x.jsonl line 1 is not a JSON object",)),
    ("Latin-1", "blimp", {"x.jsonl": b'{"sentence_good": "\xe4"}'}, ("in/x.jsonl line 1 is not UTF-8", "save the file as UTF-8")),
    ("missing key", "blimp", {"x.jsonl": lines(PAIR, {"sentence_good": "x"})}, ("in/x.jsonl line 2: field 'sentence_bad' is missing",)),
    ("number for a sentence", "blimp", {"x.jsonl": lines(PAIR | {"sentence_bad": 3})}, ("in/x.jsonl line 1: field 'sentence_bad' is 3, no text",)),
    ("folder without files", "folder", {"readme.txt": "x"}, ("datasets.mine.path: in/*.json or *.jsonl is missing: Ask THEM.",)),
    ("the same file twice", "folder", {"x.jsonl": lines(PAIR), "x.json": json.dumps([PAIR])}, ("items of in/x.json and in/x.jsonl would have the same ids; rename one",)),
    ("BLiMP as EWoK", "ewok", {"x.jsonl": lines(PAIR)}, ("in/x.jsonl line 1: field 'Context1' is missing",)),
    ("empty target", "ewok", {"x.jsonl": lines(EWOK | {"Target2": " "})}, ("in/x.jsonl line 1: field 'Target2' is ' ', no text",)),
    ("one caption", "winoground", {"x.jsonl": lines({"caption_0": "a on b"})}, ("in/x.jsonl line 1: field 'caption_1' is missing",)),
    # questions with vectors
    ("object for a list", "vqa", SOUND_VQA | {"x.json": json.dumps({"data": [VQA]})}, ("in/x.json is not a JSON list",)),
    ("broken JSON", "vqa", SOUND_VQA | {"x.json": '[\n{"question": }]'}, ("in/x.json line 2 column 14 is not JSON",)),
    ("six distractors", "vqa", SOUND_VQA | {"x.json": json.dumps([VQA | {"distractors": list("abcdef")}])}, ("in/x.json row 0: field 'distractors' is not a list of 7",)),
    ("distractor that is no text", "vqa", SOUND_VQA | {"x.json": json.dumps([VQA | {"distractors": [1, *"abcdef"]}])}, ("in/x.json row 0: field 'distractors' has an answer that is no text",)),
    ("a vector too few", "vqa", SOUND_VQA | {"v.npy": npy(np.ones((2, 4)))}, ("in/x.json has 3 items and in/v.npy has 2 vectors", "row by row")),
    # text lines
    ("no text files", "text", {"a.txt": "x"}, ("datasets.mine.path: in/*.train is missing: Ask THEM.",)),
    ("nothing but blanks", "text", {"a.train": " \n\n"}, ("the files *.train of in have no text (datasets.mine)",)),
    ("Latin-1 text", "text", {"a.train": b"fine\ncaf\xe9\n"}, ("in/a.train line 2 is not UTF-8 (byte 3 of the line)", "save the file as UTF-8")),
    # captions with vectors
    ("captions missing", "captions", {"v.npy": VECTORS}, ("datasets.mine.captions: in/c.json is missing: ",)),
    ("captions are no list", "captions", SOUND_CAPTIONS | {"c.json": "{}"}, ("in/c.json is not a JSON list of captions",)),
    ("caption that is no text", "captions", SOUND_CAPTIONS | {"c.json": '["a", null, "c"]'}, ("in/c.json row 1: None is not a caption",)),
    ("a vector too many", "captions", SOUND_CAPTIONS | {"v.npy": npy(np.ones((4, 4)))}, ("in/c.json has 3 captions and in/v.npy has 4 vectors",)),
    ("vectors of another width", "captions", SOUND_CAPTIONS | {"v.npy": npy(np.ones((3, 5)))}, ("in/v.npy has shape (3, 5); a vector file has (rows, 4)",)),
    ("whole numbers", "captions", SOUND_CAPTIONS | {"v.npy": npy(np.ones((3, 4), int))}, ("in/v.npy has dtype int64", "floating-point")),
    ("not finite", "captions", SOUND_CAPTIONS | {"v.npy": npy(not_finite())}, ("in/v.npy row 2: not all numbers are finite", "get the file again")),
    ("cut short", "captions", SOUND_CAPTIONS | {"v.npy": VECTORS[:-4]}, ("in/v.npy is not a readable .npy file", "get it again")),
    ("rows beyond the file", "captions", SOUND_CAPTIONS | {"v.npy": huge_header()}, ("in/v.npy is not a readable .npy file",)),
    ("zip of arrays", "captions", SOUND_CAPTIONS | {"v.npy": npz()}, ("in/v.npy has shape several arrays",)),
    ("text for vectors", "captions", SOUND_CAPTIONS | {"v.npy": "1 2 3"}, ("in/v.npy is not a readable .npy file", "no .npy header")),
    ("pickled objects", "captions", SOUND_CAPTIONS | {"v.npy": npy(np.array([[Trap(Path("evil"))] * 4] * 3), allow_pickle=True)}, ("in/v.npy is not a readable .npy file (no .npy header, or pickled Python objects, which are never read)",)),
    ("a bare pickle", "captions", SOUND_CAPTIONS | {"v.npy": Trap(Path("evil")).pickled()}, ("in/v.npy is not a readable .npy file",)),
]  # fmt: skip


def curate(kind: str, files: dict[str, str | bytes]) -> list[str]:
    """Write the input files and the settings file; return the command's arguments."""
    Path("data/sets").mkdir(parents=True, exist_ok=True)
    Path("in").mkdir(exist_ok=True)
    for name, content in files.items():
        Path("in", name).write_bytes(content if isinstance(content, bytes) else content.encode())
    Path("mine.json").write_text(json.dumps({"settings": SETTINGS[kind]}))
    return ["curate", "--settings", "mine.json"]


@pytest.mark.parametrize(("kind", "files", "parts"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_bad_file_is_refused(tmp_path, monkeypatch, capsys, kind, files, parts):
    monkeypatch.chdir(tmp_path)
    told(refused(capsys, *curate(kind, files)), parts)


@pytest.mark.parametrize(("kind", "files"), [("vqa", SOUND_VQA), ("captions", SOUND_CAPTIONS)])
def test_sound_files_are_accepted_and_vectors_that_turn_into_pickles_are_not(tmp_path, monkeypatch, kind, files):
    monkeypatch.chdir(tmp_path)
    assert program.main(curate(kind, files)) == 0
    facts = json.loads(Path("data/sets/mine/manifest.json").read_text())["vectors"]
    assert VectorFiles(facts).read(["v-2"]).tolist() == [[1, 1, 1, 1]]
    Path("in/v.npy").write_bytes(npy(np.array([[Trap(Path("evil"))] * 4] * 3), allow_pickle=True))
    with pytest.raises(UserError, match=r"in/v\.npy is not a readable \.npy file \(no \.npy header, or pickled"):
        VectorFiles(facts)
    assert not Path("evil").exists()
