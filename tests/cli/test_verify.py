"""`compactvl verify` reads every folder that a record vouches for, and names each kind of problem."""

import json

import pytest

from compactvl.cli import main as program
from compactvl.cli.verify import DEFAULT
from compactvl.files import sha256_file
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, manifest_digest, write_manifest, write_record

LAYOUT = Layout()


def recorded():
    """One file, with its record, in each of the tree's folders."""
    folders = [LAYOUT.dataset("a"), LAYOUT.tokens("a", "b"), LAYOUT.texts("a", "b"), LAYOUT.run("a", "b", 0)]
    files = [folder / "payload.npy" for folder in folders] + [
        LAYOUT.weights("a"),
        LAYOUT.result("a", "b", 0) / "c.parquet",
    ]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"as it was")
        hashes = {path.name: sha256_file(path)}
        if path.parent in folders:
            write_manifest(path.parent, stage="test", files=hashes)
        else:
            write_record(path.with_suffix(".json"), {"files": hashes})
    return files


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tree in which everything is as recorded."""
    monkeypatch.chdir(tmp_path)
    return recorded()


def verify(capsys, *folders):
    """Return the exit code and the lines on standard output."""
    code = program.main(["verify", *folders])
    return code, capsys.readouterr().out.splitlines()


def test_every_folder_is_verified(tree, capsys):
    assert len(tree) == len(DEFAULT)
    assert verify(capsys)[0] == 0
    for path in tree:
        path.write_bytes(b"as it is")
    code, shown = verify(capsys)
    assert code == 1
    assert sorted(shown[:-2]) == sorted(
        f"{path}: content differs from {MANIFEST if path.suffix == '.npy' else path.with_suffix('.json').name}"
        for path in tree
    )
    assert f"{len(tree)} problem(s)" in shown[-2]


def test_only_the_folders_asked_for_are_verified(tree, capsys):
    LAYOUT.weights("a").write_bytes(b"as it is")
    assert verify(capsys, "runs", "results")[0] == 0
    assert verify(capsys, "cache")[0] == 1
    assert program.main(["verify", "nowhere"]) == 2


def test_a_missing_file_is_named(tree, capsys):
    tree[0].unlink()
    assert verify(capsys)[1][:-2] == [f"{tree[0]}: missing, recorded in manifest.json"]


@pytest.mark.parametrize("damage", ["edited", "truncated", "emptied of files", "no object"])
def test_a_damaged_record_is_named_and_the_others_are_still_verified(damage, tree, capsys):
    record = tree[3].parent / MANIFEST
    text = record.read_text()
    record.write_text(
        {
            "edited": text.replace('"test"', '"text"'),
            "truncated": text[: len(text) // 2],
            "emptied of files": json.dumps({"stage": "test"}),
            "no object": "[]",
        }[damage]
    )
    tree[0].write_bytes(b"as it is")
    code, shown = verify(capsys)
    assert code == 1
    assert any(line.startswith(f"{tree[0]}: content differs") for line in shown)
    assert any(line.startswith(str(record)) for line in shown)
    record.write_text(text)
    tree[0].write_bytes(b"as it was")
    assert verify(capsys)[0] == 0


def test_a_file_without_its_record_is_named(tree, capsys):
    LAYOUT.weights("a").with_suffix(".json").unlink()
    assert verify(capsys)[1][:-2] == [f"{LAYOUT.weights('a')}: no record vouches for it"]


def test_a_step_made_from_another_input_is_stale(tree, capsys):
    dataset, run, result = LAYOUT.dataset("d"), LAYOUT.run("s", "v", 0), LAYOUT.result("s", "v", 0)
    facts = {"study": "s", "variant": "v", "seed": 0}

    def make(images):
        write_manifest(dataset, stage="curate", inputs={"noto": "0" * 64}, images_sha256=images)

    make("1")
    steps = {
        LAYOUT.tokens("e", "d") / MANIFEST: ("encode", {"images": "1", "weights": "2"}, {"dataset": {"name": "d"}}),
        LAYOUT.texts("e", "d") / MANIFEST: ("embed", {"dataset": manifest_digest(dataset)}, {}),
        LAYOUT.dataset("b") / MANIFEST: ("curate", {"set d": manifest_digest(dataset)}, {}),
        run / MANIFEST: ("train", {"dataset d": manifest_digest(dataset)}, facts),
    }
    for path, (stage, inputs, more) in steps.items():
        write_manifest(path.parent, stage=stage, inputs=inputs, **more)
    write_record(
        result / "x.json", {"stage": "evaluate", **facts, "inputs": {"run": manifest_digest(run)}, "files": {}}
    )
    assert verify(capsys)[0] == 0
    make("3")
    code, shown = verify(capsys)
    assert code == 1
    assert sorted(shown[:-2]) == sorted(f"{path}: stale, made from another {dataset / MANIFEST}" for path in steps)
    # The run made again from the new images: now the result is stale.
    write_manifest(run, stage="train", inputs={"dataset d": manifest_digest(dataset)}, **facts)
    stale = f"{result / 'x.json'}: stale, made from another {run / MANIFEST}"
    assert stale in verify(capsys)[1]
