"""`compactvl verify` without arguments reads every folder that a manifest vouches for."""

from compactvl.cli import main as program
from compactvl.cli.verify import DEFAULT
from compactvl.files import sha256_file, write_json
from compactvl.layout import Layout
from compactvl.manifest import write_manifest


def recorded(layout):
    """One file, with its record, in each of the tree's folders."""
    folders = [layout.dataset("a"), layout.tokens("a", "b"), layout.texts("a", "b"), layout.run("a", "b", 0)]
    files = [folder / "payload.bin" for folder in folders] + [
        layout.weights("a"),
        layout.result("a", "b", 0) / "c.parquet",
    ]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"as it was")
        hashes = {path.name: sha256_file(path)}
        if path.parent in folders:
            write_manifest(path.parent, stage="test", files=hashes)
        else:
            write_json(path.with_suffix(".json"), {"files": hashes})
    return files


def test_every_folder_is_verified(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = recorded(Layout())
    assert len(files) == len(DEFAULT)
    assert program.main(["verify"]) == 0
    for path in files:
        path.write_bytes(b"as it is")
    assert program.main(["verify"]) == 1
    shown = capsys.readouterr().out
    for path in files:
        assert f"{path}: content differs" in shown
    assert f"{len(files)} problem(s)" in shown
