"""What a reader asks before it uses a file."""

import os

import pytest

from compactvl import files
from compactvl.errors import UserError
from compactvl.files import sha256_file
from compactvl.records import intact
from compactvl.records.intact import check_file, check_made, is_intact
from compactvl.records.record import Made, write


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A file with its manifest, beside a log that its provenance vouches for."""
    monkeypatch.chdir(tmp_path)
    for name in ("data.npy", "log.jsonl"):
        (tmp_path / name).write_bytes(b"0123456789")
    write(tmp_path / "manifest.json", Made("test", ""), [tmp_path / "data.npy"], varying=[tmp_path / "log.jsonl"])
    return tmp_path / "data.npy"


def test_the_line_names_file_and_remedy(made):
    record = made.parent / "manifest.json"
    check_file(made, {"data.npy": sha256_file(made)}, record)
    for recorded, problem in (({"data.npy": "0" * 64}, "differs from"), ({}, "is not in")):
        with pytest.raises(UserError) as caught:
            check_file(made, recorded, record)
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


@pytest.fixture
def hashed(monkeypatch):
    """The files that were hashed."""
    found = []
    monkeypatch.setattr(files, "sha256_file", lambda path: found.append(path) or sha256_file(path))
    return found


def test_a_file_is_hashed_once_a_process(made, hashed, monkeypatch):
    right = sha256_file(made)
    monkeypatch.setattr(files, "TICK_NS", 10**15)
    assert is_intact(made, right)
    assert is_intact(made, right)
    assert len(hashed) == 2, "it was written just now: another write may have the same times"
    monkeypatch.setattr(files, "TICK_NS", 0)
    for _ in range(3):
        assert is_intact(made, right)
        assert not is_intact(made, "0" * 64)
    assert len(hashed) == 3
    # Another content of the same size, inode and modification time: the change time cannot be set back.
    status = os.stat(made)
    with made.open("r+b") as file:
        file.write(b"x")
    os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not is_intact(made, right)


def test_a_big_file_is_hashed_once_a_change(made, monkeypatch, hashed):
    monkeypatch.setattr(intact, "BIG", 10)
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
