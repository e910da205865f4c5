import os
import subprocess
import sys
from pathlib import Path

import pytest

from compactvl.training import device


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


@pytest.mark.parametrize("value", ["3", ""])
def test_a_device_already_chosen_is_respected(free, monkeypatch, tmp_path, value):
    monkeypatch.setenv(device.VARIABLE, value)
    with device.lease([0, 1], tmp_path) as number:
        assert number is None
    assert os.environ[device.VARIABLE] == value
    assert list(tmp_path.iterdir()) == []


def test_each_lease_has_a_device_of_its_own(free, tmp_path, monkeypatch):
    with device.lease([4, 7], tmp_path) as first:
        assert os.environ[device.VARIABLE] == str(first)
        monkeypatch.delenv(device.VARIABLE)
        with device.lease([4, 7], tmp_path) as second:
            assert {first, second} == {4, 7}
        monkeypatch.setenv(device.VARIABLE, str(first))
    assert device.VARIABLE not in os.environ


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
    workflow = Path(__file__).parents[2] / "workflow"
    command = [sys.executable, "-c", code, str(folder), str(seconds)]
    other = subprocess.Popen(command, cwd=workflow, stdout=subprocess.PIPE, text=True)
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
