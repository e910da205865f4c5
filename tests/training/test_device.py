import contextlib
import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from compactvl.nn.compute import compute_device
from compactvl.training import device

WORKFLOW = Path(__file__).parents[2] / "workflow"


def no_flock(handle, operation):
    raise OSError(errno.ENOSYS, "Function not implemented")


@pytest.fixture
def free(monkeypatch):
    monkeypatch.delenv(device.VARIABLE, raising=False)
    monkeypatch.setattr(device, "POLL_SECONDS", 0.02)


def test_devices_are_found_by_their_files(tmp_path):
    for name in ("nvidia0", "nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert device.present_gpus(tmp_path) == [0, 2, 10]


def test_without_a_gpu_nothing_is_leased(free):
    with device.lease([]) as number:
        assert number is None
        assert device.VARIABLE not in os.environ


@pytest.mark.parametrize("value", ["3", "", "-1", "3,-1,2"])
def test_a_device_already_chosen_is_respected(free, monkeypatch, tmp_path, value):
    monkeypatch.setenv(device.VARIABLE, value)
    with device.lease([0, 1], tmp_path) as number:
        assert number is None
    assert os.environ[device.VARIABLE] == value
    assert list(tmp_path.iterdir()) == []


def test_each_lease_has_a_device_of_its_own(free, tmp_path, monkeypatch):
    with device.lease([0, 1], tmp_path) as first:
        assert os.environ[device.VARIABLE] == str(first)
        monkeypatch.delenv(device.VARIABLE)
        with device.lease([0, 1], tmp_path) as second:
            assert {first, second} == {0, 1}
        monkeypatch.setenv(device.VARIABLE, str(first))
    assert device.VARIABLE not in os.environ


@pytest.mark.parametrize(("listed", "names"), [("2,3", [2, 3]), (" GPU-a/1, MIG-b ,-1", ["GPU-a/1", "MIG-b"])])
def test_each_job_has_one_of_several_devices_already_chosen(free, monkeypatch, tmp_path, listed, names):
    monkeypatch.setenv(device.VARIABLE, listed)
    with device.lease([0, 1, 2, 3], tmp_path) as first:
        assert (first, os.environ[device.VARIABLE]) == (names[0], str(names[0]))
        monkeypatch.setenv(device.VARIABLE, listed)
        with device.lease([0, 1, 2, 3], tmp_path) as second:
            assert second == names[1]
            # Another SLURM job's devices are others, whatever their numbers.
            monkeypatch.setenv(device.VARIABLE, listed)
            monkeypatch.setenv("SLURM_JOB_ID", "7")
            with device.lease([0, 1, 2, 3], tmp_path) as other:
                assert other == names[0]
    assert os.environ[device.VARIABLE] == listed


def test_cuda_counts_the_devices_of_a_container_from_0(free, tmp_path, monkeypatch):
    with device.lease([3], tmp_path) as number:
        assert (number, os.environ[device.VARIABLE], os.environ[device.ORDER]) == (0, "0", "PCI_BUS_ID")
        monkeypatch.delenv(device.VARIABLE)
        # Another container, with two of the machine's devices and the same folder of locks.
        with device.lease([3, 5], tmp_path) as other:
            assert other == 1
        monkeypatch.setenv(device.VARIABLE, "0")


def test_a_file_system_without_locks_keeps_no_job_from_a_device(free, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(fcntl, "flock", no_flock)
    with device.lease([0], tmp_path) as number:
        assert number == 0
    assert "compactvl-gpu0.lock cannot be locked" in caplog.text


def lease_as(user: int, folder: Path) -> int:
    """Return the number another user is given; no traceback, no message."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.umask(0o077)
            os.setgid(user)
            os.setuid(user)
            device.log.warning = None  # none is to be given
            with device.lease([0], folder) as number:
                os._exit(number)
        os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_users_with_private_umasks_share_the_devices(free):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)
        assert [lease_as(user, Path(folder)) for user in (1001, 1002)] == [0, 0]


def test_a_device_that_torch_does_not_see_is_told(monkeypatch, caplog):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv(device.VARIABLE, "1")
    compute_device.cache_clear()
    assert [compute_device().type, compute_device().type] == ["cpu", "cpu"]
    assert caplog.messages == ["computing on the CPU: torch sees no GPU, though CUDA_VISIBLE_DEVICES is 1"]
    compute_device.cache_clear()


def hold(folder, seconds):
    """Start another process that holds device 0; return it once it does."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from compactvl.training.device import lease\n"
        "with lease([0], Path(sys.argv[1])):\n"
        "    print('holding', flush=True)\n"
        "    time.sleep(float(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(seconds)]
    other = subprocess.Popen(command, cwd=WORKFLOW, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "holding\n"
    return other


def test_a_job_waits_until_another_process_gives_its_device_back(free, tmp_path):
    with hold(tmp_path, 0.5) as other, device.lease([0], tmp_path) as number:
        assert number == 0
        # The lock is given back as the process ends.
        other.wait(5)


def test_a_held_device_is_not_handed_out_again(free, tmp_path):
    with hold(tmp_path, 60) as other:
        with device.lease([0, 1], tmp_path) as number:
            assert number == 1
        other.kill()


def test_a_killed_process_holds_nothing(free, tmp_path):
    with hold(tmp_path, 60) as other:
        other.kill()
        other.wait(5)
        with device.lease([0], tmp_path) as number:
            assert number == 0
