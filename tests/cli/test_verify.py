"""`compactvl verify` reads every folder that a record vouches for, and names each kind of problem."""

import json

import pytest

from compactvl.cli import main as program
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made, hashes, provenance_path, write

LAYOUT = Layout()


def recorded():
    """One file, with its record, in each of the tree's folders."""
    folders = [LAYOUT.dataset("a"), LAYOUT.tokens("a", "b"), LAYOUT.texts("a", "b"), LAYOUT.run("a", "b", 0)]
    files = {folder / "payload.npy": folder / MANIFEST for folder in folders}
    single = [LAYOUT.weights("a"), LAYOUT.result("a", "b", 0) / "c.parquet"]
    files |= {path: path.with_suffix(".json") for path in single}
    for path, record in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"as it was")
        write(record, Made("test", ""), [path])
    return files


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tree in which everything is as recorded: file → its record."""
    monkeypatch.chdir(tmp_path)
    return recorded()


def verify(capsys, *folders):
    """Return the exit code and the lines on standard output."""
    code = program.main(["verify", *folders])
    return code, capsys.readouterr().out.splitlines()


def test_every_folder_is_verified(tree, capsys):
    assert {next(folder for folder in LAYOUT.made if path.is_relative_to(folder)) for path in tree} == set(LAYOUT.made)
    assert verify(capsys)[0] == 0
    for path in tree:
        path.write_bytes(b"as it is")
    code, shown = verify(capsys)
    assert code == 1
    assert sorted(shown[:-2]) == sorted(f"{path}: content differs from {record.name}" for path, record in tree.items())
    assert f"{len(tree)} problem(s)" in shown[-2]


def test_only_the_folders_asked_for_are_verified(tree, capsys):
    LAYOUT.weights("a").write_bytes(b"as it is")
    assert verify(capsys, "runs", "results")[0] == 0
    assert verify(capsys, "cache")[0] == 1
    assert program.main(["verify", "nowhere"]) == 2


def test_a_missing_file_is_named(tree, capsys):
    path, record = next(iter(tree.items()))
    path.unlink()
    assert verify(capsys)[1][:-2] == [f"{path}: missing, recorded in manifest.json"]
    provenance_path(record).unlink()
    assert f"{provenance_path(record)}: missing" in verify(capsys)[1]


@pytest.mark.parametrize("damage", ["edited", "truncated", "emptied of files", "no object"])
@pytest.mark.parametrize("kind", ["record", "provenance"])
def test_a_damaged_record_is_named_and_the_others_are_still_verified(damage, kind, tree, capsys):
    other, (*_, record) = next(iter(tree)), tree.values()
    record = record if kind == "record" else provenance_path(record)
    text = record.read_text()
    record.write_text(
        {
            "edited": text.replace('"test"', '"text"'),
            "truncated": text[: len(text) // 2],
            "emptied of files": json.dumps({"stage": "test"}),
            "no object": "[]",
        }[damage]
    )
    other.write_bytes(b"as it is")
    code, shown = verify(capsys)
    assert code == 1
    assert any(line.startswith(f"{other}: content differs") for line in shown)
    assert any(line.startswith(str(record)) for line in shown)
    record.write_text(text)
    other.write_bytes(b"as it was")
    assert verify(capsys)[0] == 0


def test_a_file_without_its_record_is_named(tree, capsys):
    LAYOUT.weights("a").with_suffix(".json").unlink()
    notes = LAYOUT.results / "a" / "notes.txt"
    notes.write_text("mine")
    assert verify(capsys)[1][:-2] == [f"{path}: no record vouches for it" for path in (LAYOUT.weights("a"), notes)]


def test_the_record_of_a_file_may_be_in_another_folder(tree, capsys):
    figure = LAYOUT.results / "figures" / "a" / "b.png"
    figure.parent.mkdir(parents=True)
    figure.write_text("drawn")
    write(LAYOUT.results / "reports" / "a.json", Made("report", ""), [figure])
    assert verify(capsys, "results/figures/a")[0] == 2, "no record is there"
    write(figure.with_suffix(".json"), Made("test", ""), [])
    assert verify(capsys, "results/figures/a")[0] == 0


def test_a_step_made_from_something_else_is_stale(tree, capsys):
    """An archive, weights, settings, images, captions, a run, a file of the user's: whatever a step was made from."""
    archive, settings, norms = LAYOUT.source("a.whl"), LAYOUT.settings("s", "v"), LAYOUT.root / "norms.csv"
    weights, dataset = LAYOUT.weights("w").with_suffix(".json"), LAYOUT.dataset("d")
    images, items = dataset / "images-00000.parquet", dataset / "items.parquet"
    run, result = LAYOUT.run("s", "v", 0) / MANIFEST, LAYOUT.result("s", "v", 0) / "x.json"
    parameters = LAYOUT.results / "s" / "parameters.json"
    for path in (archive, settings, norms, images, items):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    tokens, texts = LAYOUT.tokens("e", "d") / MANIFEST, LAYOUT.texts("e", "d") / MANIFEST

    def make(record, stage, *inputs, files=(), **more):
        write(record, Made(stage, "", inputs=hashes(inputs), **more), files, study="s")

    def make_all():
        make(weights, "weights", archive)
        make(dataset / MANIFEST, "curate", archive, files=[images, items])
        make(tokens, "encode", images, weights)
        make(texts, "embed", items, weights)
        make(run, "train", dataset / MANIFEST, tokens, own_files=hashes([norms]), settings=hashes([settings]))
        make(result, "evaluate", run)
        make(parameters, "parameters", settings=hashes([settings]))

    make_all()
    assert verify(capsys)[0] == 0
    for changed, stale in {
        archive: [weights, dataset / MANIFEST],
        settings: [run, parameters],
        norms: [run],
        run: [result],
        weights: [tokens, texts],
    }.items():
        if changed.suffix == ".json" and changed != settings:
            write(changed, Made("other", ""), [], other=1)
        else:
            changed.write_text("2")
        code, shown = verify(capsys)
        assert code == 1
        wanted = {f"{record}: stale, made from another {changed}" for record in stale}
        assert {line for line in shown if str(changed) in line} == wanted
        make_all()
        assert verify(capsys)[0] == 0
    for changed, stale in {images: tokens, items: texts}.items():
        changed.write_text("2")
        assert f"{stale}: stale, made from another {changed}" in verify(capsys)[1]
