"""Atomic writes: all or nothing, whoever fails, and nothing stays behind."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compactvl.errors import UserError
from compactvl.files import atomic_path, only_writer, try_lock, write_json

WORKFLOW = Path(__file__).parents[1] / "workflow"


def child(code: str, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=WORKFLOW, stdout=subprocess.PIPE, text=True
    )


def test_a_failure_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, 1)

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("of another kind")

    with pytest.raises(RuntimeError, match="of another kind"):
        fail()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "1\n")]


def test_a_file_system_without_modes_and_fsync_is_written(tmp_path, monkeypatch):
    def refuse(number):
        def call(*arguments, **named):
            raise OSError(number, os.strerror(number))

        return call

    monkeypatch.setattr(Path, "chmod", refuse(errno.EPERM))
    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    write_json(tmp_path / "a.json", 1)
    assert (tmp_path / "a.json").read_text() == "1\n"
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(UserError, match="Input/output error"):
        write_json(tmp_path / "a.json", 2)
    assert (tmp_path / "a.json").read_text() == "1\n"


def test_what_a_killed_process_left_goes_and_what_a_live_one_writes_stays(tmp_path):
    path = tmp_path / "a.json"
    code = (
        "import sys, time\n"
        "from compactvl.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    print(temporary, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with child(code, path) as killed, child(code, path) as alive:
        left, open_ = (Path(other.stdout.readline().strip()) for other in (killed, alive))
        killed.kill()
        killed.wait()
        assert left.is_file()
        write_json(path, 2)
        assert sorted(tmp_path.iterdir()) == sorted([path, open_])
        alive.kill()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file/a\.json: .*choose another"):
        write_json(tmp_path / "file" / "a.json", 1)


def test_a_second_writer_of_a_folder_waits_for_the_first(tmp_path, caplog):
    caplog.set_level("INFO")
    folder = tmp_path / "out"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from compactvl.files import only_writer\n"
        "with only_writer(sys.argv[1]):\n"
        "    print('holding', flush=True)\n"
        "    time.sleep(0.5)\n"
        "    Path(sys.argv[1], 'done').touch()\n"
    )
    with child(code, folder) as first:
        assert first.stdout.readline() == "holding\n"
        with only_writer(folder):
            assert (folder / "done").is_file()
    assert f"waiting: another process writes {folder}" in caplog.text


def test_who_waited_holds_the_folder_that_is_there(tmp_path):
    """The first writer fails, and its folder, empty, goes away."""
    folder = tmp_path / "out"
    code = (
        "import sys, time\n"
        "from compactvl.files import only_writer\n"
        "with only_writer(sys.argv[1]):\n"
        "    print('holding', flush=True)\n"
        "    time.sleep(0.5)\n"
    )
    with child(code, folder) as first:
        assert first.stdout.readline() == "holding\n"
        with only_writer(folder):
            handle = os.open(folder, os.O_RDONLY)
            assert try_lock(handle) is False, "nobody else can hold it"
            os.close(handle)


def test_a_killed_writer_holds_nothing(tmp_path):
    code = (
        "import sys, time\n"
        "from compactvl.files import only_writer\n"
        "with only_writer(sys.argv[1]):\n"
        "    print('holding', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with child(code, tmp_path) as first:
        assert first.stdout.readline() == "holding\n"
        first.kill()
        first.wait()
        with only_writer(tmp_path):
            assert first.returncode == -9


def test_a_writer_that_writes_nothing_leaves_no_folder(tmp_path):
    with only_writer(tmp_path / "a" / "b"):
        assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path) == []


def test_a_file_system_without_locks_goes_without(tmp_path, monkeypatch):
    def no_flock(handle, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_flock)
    with only_writer(tmp_path / "a"):
        write_json(tmp_path / "a" / "b.json", 1)
    assert (tmp_path / "a" / "b.json").read_text() == "1\n"
