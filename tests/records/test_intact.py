"""What a reader asks before it uses a file."""

import os

import pytest

from compactvl.errors import UserError
from compactvl.files import sha256_file
from compactvl.records import intact
from compactvl.records.intact import check_file, check_made, is_intact
from compactvl.records.record import write_manifest


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A file with its manifest, beside a log that its provenance vouches for."""
    monkeypatch.chdir(tmp_path)
    for name in ("data.npy", "log.jsonl"):
        (tmp_path / name).write_bytes(b"0123456789")
    hashes = {name: sha256_file(tmp_path / name) for name in ("data.npy", "log.jsonl")}
    write_manifest(
        tmp_path, stage="test", files={"data.npy": hashes["data.npy"]}, varying={"log.jsonl": hashes["log.jsonl"]}
    )
    return tmp_path / "data.npy"


def test_the_line_names_file_and_remedy(made):
    record = made.parent / "manifest.json"
    check_file(made, {"data.npy": sha256_file(made)}, record)
    for files, problem in (({"data.npy": "0" * 64}, "differs from"), ({}, "is not in")):
        with pytest.raises(UserError) as caught:
            check_file(made, files, record)
        assert str(caught.value) == f"{made} {problem} manifest.json; delete {record} and run: snakemake {record}"
    made.unlink()
    with pytest.raises(UserError, match=r"data\.npy is missing; delete"):
        check_file(made, {"data.npy": "0" * 64}, record)


@pytest.mark.parametrize("name", ["data.npy", "log.jsonl", "manifest.json", "provenance.json"])
def test_everything_a_job_made_is_checked(name, made):
    check_made(made.parent / "manifest.json")
    path = made.parent / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(UserError, match=name):
        check_made(made.parent / "manifest.json")


def test_a_big_file_is_hashed_once_a_change(made, monkeypatch):
    hashed = []
    monkeypatch.setattr(intact, "BIG", 10)
    monkeypatch.setattr(intact, "sha256_file", lambda path: hashed.append(path) or sha256_file(path))
    right = sha256_file(made)
    assert is_intact(made, right)
    assert is_intact(made, right)
    assert len(hashed) == 1
    # Another content of the same size, inode and modification time: the change time cannot be set back.
    status = os.stat(made)
    with made.open("r+b") as file:
        file.write(b"x")
    os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not is_intact(made, right)
    assert not is_intact(made, right)
    assert len(hashed) == 3
    with made.open("r+b") as file:
        file.write(b"0")
    assert is_intact(made, right)


def test_a_damaged_stamp_or_a_folder_that_cannot_be_written_costs_a_hash(made, monkeypatch):
    monkeypatch.setattr(intact, "BIG", 10)
    right = sha256_file(made)
    assert is_intact(made, right)
    (stamp,) = intact.STAMPS.glob("*.json")
    stamp.write_text("{")
    assert is_intact(made, right)
    assert not is_intact(made, "0" * 64)
    monkeypatch.setattr(intact, "STAMPS", made / "no folder")
    assert is_intact(made, right)
