"""BabyLM's files: evaluation items, captions with vectors."""

import json
import tracemalloc

import numpy as np
import pytest
from curating import is_made, make

from compactvl.data.kinds.blimp import different_words
from compactvl.data.vector_file import VectorFiles
from compactvl.errors import UserError

PAIR = {"sentence_good": "He was  here.", "sentence_bad": "He were here.", "UID": "agree", "field": "morphology"}
EWOK = {"Context1": "A is left.", "Context2": "A is right.", "Target1": "L", "Target2": "R", "Domain": "spatial"}
VQA = {"question": "What is it?", "target_ans": "dog", "distractors": list("abcdefg"), "question_type": "what"}
WINOGROUND = {"caption_0": "a on b", "caption_1": "b on a", "collapsed_tag": "Object"}
RECORDS = {"blimp": PAIR, "ewok": EWOK, "vqa": VQA, "babylm_winoground": WINOGROUND}
OPTIONAL = ("UID", "field", "question_type", "collapsed_tag")


def lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def curate(out, **settings):
    return make(out, "task", settings)


def rows(done):
    return done.items.to_dict("records")


def test_blimp(tmp_path):
    (tmp_path / "blimp").mkdir()
    lines(tmp_path / "blimp/b.jsonl", PAIR, PAIR | {"sentence_bad": "Here was he."})
    lines(tmp_path / "blimp/a.jsonl", {"sentence_good": "x", "sentence_bad": "y"})
    (tmp_path / "blimp/._a.jsonl").write_bytes(b"\x00\x05\x16\x07Mac OS X \xff")
    done = curate(tmp_path / "out", kind="blimp", path=str(tmp_path / "blimp"))
    common = {"split": "test", "image_id": ""}
    assert rows(done) == [
        common | {"item_id": "a-0", "text_good": "x", "text_bad": "y", "phenomenon": "a", "field": "",
                  "word_good": "x", "word_bad": "y"},
        common | {"item_id": "b-0", "text_good": "He was here.", "text_bad": "He were here.", "phenomenon": "agree",
                  "field": "morphology", "word_good": "was", "word_bad": "were"},
        common | {"item_id": "b-1", "text_good": "He was here.", "text_bad": "Here was he.", "phenomenon": "agree",
                  "field": "morphology", "word_good": "", "word_bad": ""},
    ]  # fmt: skip


def test_a_pair_of_one_sentence_is_told(tmp_path, caplog):
    pair = {"sentence_good": "Go  on.", "sentence_bad": "Go on."}
    curate(tmp_path / "out", kind="blimp", path=str(lines(tmp_path / "a.jsonl", PAIR, pair)))
    assert caplog.messages == [
        f"{tmp_path}/a.jsonl line 2: the good and the bad sentence are the same text, so no model can be right"
    ]


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("ewok", {"Context2": "A is  left."}, "both contexts are the same text"),
        ("ewok", {"Target2": "L"}, "both targets are the same text"),
        ("vqa", {"target_ans": " g"}, "the right answer is among the distractors"),
        ("babylm_winoground", {"caption_1": "a on  b"}, "both captions are the same text"),
    ],
)
def test_items_that_no_model_can_get_right_are_told(tmp_path, caplog, kind, change, said):
    path = lines(tmp_path / "a.jsonl", RECORDS[kind], RECORDS[kind] | change)
    curate(tmp_path / "out", kind=kind, path=str(path))
    assert caplog.messages == [f"{path} line 2: {said}, so no model can be right"]


def test_group_names_are_one_line_of_text(tmp_path):
    records = [PAIR | {"UID": uid} for uid in ("agree\r", " a\n b ", 7, None)]
    done = curate(tmp_path / "out", kind="blimp", path=str(lines(tmp_path / "x.jsonl", *records)))
    assert list(done.items["phenomenon"]) == ["agree", "a b", "7", "x"]
    for uid in (["agree"], True, "a\0"):
        path = lines(tmp_path / "x.jsonl", PAIR, PAIR | {"UID": uid})
        with pytest.raises(UserError, match=r"x\.jsonl line 2: field 'UID' is .*, neither text nor number; get"):
            curate(tmp_path / "bad", kind="blimp", path=str(path))


def test_files_of_one_name_are_named(captions, tmp_path):
    (tmp_path / "t").mkdir()
    lines(tmp_path / "t/a.jsonl", PAIR)
    (tmp_path / "t/a.json").write_text(json.dumps([PAIR]))
    with pytest.raises(UserError, match=r"items of .*/a\.json and .*/a\.jsonl would .* the same ids; rename one"):
        curate(tmp_path / "out", kind="blimp", path=str(tmp_path / "t"))
    (captions / "t/cc.json").write_text('["a", "b", "c"]')
    both = [str(captions / "cc.json"), str(captions / "t/cc.json")]
    with pytest.raises(UserError, match=r"items of .*/cc\.json and .*/t/cc\.json would have the same ids; rename"):
        make(tmp_path / "out", "c", caption_settings(captions, captions=both))


def test_different_words():
    assert different_words("a b c", "a x c") == ("b", "x")
    assert different_words("a b c", "a x") == different_words("a b", "x y") == different_words("a", "a") == ("", "")


def test_ewok_vqa_and_winoground(tmp_path):
    one = curate(tmp_path / "e", kind="ewok", path=str(lines(tmp_path / "ewok.jsonl", EWOK)))
    assert rows(one) == [
        {"item_id": "ewok-0", "split": "test", "image_id": "", "context_0": "A is left.", "context_1": "A is right.",
         "target_0": "L", "target_1": "R", "domain": "spatial"}
    ]  # fmt: skip
    np.save(tmp_path / "images.npy", np.zeros((2, 768), np.float32))
    (tmp_path / "vqa.json").write_text(json.dumps([VQA, VQA | {"target_ans": "cat"}]))
    two = curate(tmp_path / "v", kind="vqa", path=str(tmp_path / "vqa.json"), vectors=str(tmp_path / "images.npy"))
    assert rows(two)[1] == {
        "item_id": "vqa-1", "split": "test", "image_id": "images-1", "question": "What is it?", "answer": "cat",
        "distractors": '["a", "b", "c", "d", "e", "f", "g"]', "type": "what",
    }  # fmt: skip
    assert two.manifest["vectors"][0]["rows"] == 2
    path = lines(tmp_path / "w.jsonl", WINOGROUND)
    assert rows(curate(tmp_path / "w", kind="babylm_winoground", path=str(path))) == [
        {"item_id": "w-0", "split": "test", "image_id": "", "caption_0": "a on b", "caption_1": "b on a",
         "kind": "Object"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind, record in RECORDS.items() for field in record if field not in OPTIONAL],
)
def test_missing_fields_are_named(tmp_path, kind, field):
    record = RECORDS[kind]
    path = lines(tmp_path / "x.jsonl", record, {key: value for key, value in record.items() if key != field})
    with pytest.raises(UserError, match=rf"x\.jsonl line 2: field '{field}' is") as caught:
        curate(tmp_path / "out", kind=kind, path=str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"x": 1}\n{"x"', "line 2 is not JSON|line 1: field"),
        ("a.jsonl", b"[1]\n", "line 1 is not a JSON object"),
        ("a.jsonl", b"\n\n", "has no records"),
        ("a.jsonl", b'{"sentence_good": "\xff"}\n', "line 1 is not UTF-8"),
        ("a.json", b'{"a": 1}', "is not a JSON list"),
        ("a.jsonl", json.dumps(PAIR | {"sentence_bad": 3}).encode(), "'sentence_bad' is 3, no text"),
        ("a.jsonl", json.dumps(PAIR | {"sentence_bad": "a\0"}).encode(), "line 1: field 'sentence_bad' has a NUL"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        curate(tmp_path / "out", kind="blimp", path=str(tmp_path / name))
    assert not is_made(tmp_path)


def test_distractors_and_vectors_must_match(tmp_path):
    path = lines(tmp_path / "x.jsonl", VQA | {"distractors": ["a"]})
    with pytest.raises(UserError, match="'distractors' is not a list of 7"):
        curate(tmp_path / "out", kind="vqa", path=str(path))
    lines(path, VQA)
    np.save(tmp_path / "v.npy", np.zeros((3, 768)))
    with pytest.raises(UserError, match=r"x\.jsonl has 1 items and .*v\.npy has 3 vectors"):
        curate(tmp_path / "out", kind="vqa", path=str(path), vectors=str(tmp_path / "v.npy"))
    for missing in ({"path": str(tmp_path / "no")}, {"path": str(path), "vectors": str(tmp_path / "no.npy")}):
        with pytest.raises(UserError, match=r"is missing: Ask THEM"):
            curate(tmp_path / "out", kind="vqa", how_to_get="Ask THEM.", **missing)


def test_real_blimp(samples, tmp_path):
    if not (samples / "blimp").is_dir():
        pytest.skip("the sample data has no blimp")
    done = curate(tmp_path, kind="blimp", path=str(samples / "blimp"))
    assert done.items["phenomenon"].nunique() == 67
    assert (done.items.groupby("phenomenon").size() == 200).all()
    assert done.items["field"].nunique() > 3
    passive = done.items.set_index("item_id").loc["passive_1-0"]
    assert (passive["word_good"], passive["word_bad"]) == ("confused", "communicated")


@pytest.fixture
def captions(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "cc.json").write_text(
        json.dumps([f"a dog {n // 2}" if n % 2 else f"A dog  {n // 2}" for n in range(50)])
    )
    (tmp_path / "ln.json").write_text(json.dumps(["a cat", "dos perros", "un león"]), encoding="utf-8")
    np.save(tmp_path / "cc_1of2.npy", rng.standard_normal((30, 768)).astype(np.float32))
    np.save(tmp_path / "cc_2of2.npy", rng.standard_normal((20, 768)).astype(np.float16))
    np.save(tmp_path / "ln.npy", rng.standard_normal((3, 768)))
    return tmp_path


def caption_settings(root, **changes):
    body = {
        "kind": "babylm_captions",
        "captions": [str(root / "cc.json"), str(root / "ln.json")],
        "vectors": [[str(root / "cc_1of2.npy"), str(root / "cc_2of2.npy")], str(root / "ln.npy")],
        "how_to_get": "Ask THEM.",
    }
    return body | changes


def test_captions_are_aligned_with_their_vectors(captions, tmp_path):
    done = make(tmp_path / "out", "c", caption_settings(captions))
    items = done.items
    assert items.loc[[0, 30, 49, 52], ["item_id", "image_id", "caption", "file", "row", "pos"]].values.tolist() == [
        ["cc-0", "cc_1of2-0", "A dog 0", 0, 0, ""],
        ["cc-30", "cc_2of2-0", "A dog 15", 0, 30, ""],
        ["cc-49", "cc_2of2-19", "a dog 24", 0, 49, ""],
        ["ln-2", "ln-2", "un león", 1, 2, ""],
    ]
    # Captions that differ in case only are in the same split.
    assert items[:50].groupby(items["caption"][:50].str.lower())["split"].nunique().max() == 1
    vectors = VectorFiles(done.manifest["vectors"])
    assert vectors.dim == 768
    got = vectors.read(["ln-2", "cc_2of2-0", "cc_1of2-29"])
    assert got.dtype == np.float32
    for row, (name, index) in zip(got, (("ln", 2), ("cc_2of2", 0), ("cc_1of2", 29)), strict=True):
        assert np.array_equal(row, np.load(captions / f"{name}.npy")[index].astype(np.float32))
    for unknown in ("ln-3", "ln--1", "no-0", "ln", "ln-²"):
        with pytest.raises(UserError, match="no vector of image"):
            vectors.read([unknown])


def test_vectors_are_not_read_whole(tmp_path):
    array = np.zeros((20_000, 768), np.float32)
    array[19_999] = 3
    np.save(tmp_path / "big.npy", array)
    fact = {"path": str(tmp_path / "big.npy"), "stem": "big", "rows": 20_000, "dim": 768}
    tracemalloc.start()
    got = VectorFiles([fact]).read(["big-19999"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(got, array[-1:])
    assert peak < array.nbytes / 20


def test_changed_vector_files_are_named(captions, tmp_path):
    facts = make(tmp_path / "out", "c", caption_settings(captions)).manifest["vectors"]
    np.save(captions / "ln.npy", np.full((3, 768), np.nan))
    with pytest.raises(UserError, match="vector of image 'ln-1' has values that are not finite"):
        VectorFiles(facts).read(["cc_1of2-0", "ln-1"])
    np.save(captions / "ln.npy", np.zeros((4, 768)))
    with pytest.raises(UserError, match=r"ln\.npy has 4 rows, its data set was made with 3"):
        VectorFiles(facts)
    np.save(captions / "ln.npy", np.zeros((3, 4)))
    with pytest.raises(UserError, match=r"ln\.npy has shape \(3, 4\)"):
        VectorFiles(facts)
    (captions / "ln.npy").unlink()
    with pytest.raises(UserError, match=r"ln\.npy is missing"):
        VectorFiles(facts)
    with pytest.raises(UserError, match="no vector files"):
        VectorFiles([])


def test_length_mismatch_names_both_files(captions, tmp_path):
    np.save(captions / "cc_2of2.npy", np.zeros((19, 768)))
    with pytest.raises(
        UserError, match=r"cc\.json has 50 captions and .*cc_1of2\.npy \+ .*cc_2of2\.npy has 49 vectors"
    ):
        make(tmp_path / "out", "c", caption_settings(captions))
    assert not is_made(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(768), r"ln\.npy has shape \(768,\); a vector file has \(rows, 768\)"),
        (np.zeros((3, 384)), r"ln\.npy has shape \(3, 384\)"),
        (np.zeros((3, 768), np.int64), r"ln\.npy has dtype int64"),
        (np.array([[None]]), r"ln\.npy is not a readable \.npy file"),
    ],
)
def test_bad_vector_files_are_named(captions, tmp_path, array, message):
    np.save(captions / "ln.npy", array, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        make(tmp_path / "out", "c", caption_settings(captions))


def test_damaged_captions_and_vectors(captions, tmp_path):
    whole = (captions / "ln.npy").read_bytes()
    for content in (b"", whole[:5], whole[:-100], b"not numpy at all"):
        (captions / "ln.npy").write_bytes(content)
        with pytest.raises(UserError, match=r"ln\.npy is not a readable"):
            make(tmp_path / "out", "c", caption_settings(captions))
    (captions / "ln.npy").write_bytes(whole)
    for content, message in (('["a", " ", "b"]', "row 1: ' ' is not a caption"), ("{}", "is not a JSON list")):
        (captions / "ln.json").write_text(content)
        with pytest.raises(UserError, match=message):
            make(tmp_path / "out", "c", caption_settings(captions))
    (captions / "ln.json").unlink()
    with pytest.raises(UserError, match=r"ln\.json is missing: Ask THEM"):
        make(tmp_path / "out", "c", caption_settings(captions))
    (captions / "sub").mkdir()
    np.save(captions / "sub/cc_1of2.npy", np.zeros((3, 768)))
    (captions / "ln.json").write_text('["a", "b", "c"]')
    same = [[str(captions / "cc_1of2.npy"), str(captions / "cc_2of2.npy")], str(captions / "sub/cc_1of2.npy")]
    with pytest.raises(UserError, match=r"two vector files are named cc_1of2\.npy"):
        make(tmp_path / "out", "c", caption_settings(captions, vectors=same))
    with pytest.raises(UserError, match="captions has 2 files and vectors 1"):
        make(tmp_path / "out", "c", caption_settings(captions, vectors=[str(captions / "ln.npy")]))
