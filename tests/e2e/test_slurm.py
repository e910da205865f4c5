"""The profile for SLURM, on a cluster of one node that is started here, without a database."""

import getpass
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest
from e2e_tools import REPOSITORY, SMALL, copy_of, environment

from compactvl.files import read_json
from compactvl.records.verify import damage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        importlib.util.find_spec("snakemake_executor_plugin_slurm") is None,
        reason="snakemake-executor-plugin-slurm is not installed: pip install compactvl[slurm]",
    ),
]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MinJobAge=300
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:2
PartitionName=gpu Nodes={host} Default=YES MaxTime=INFINITE
"""


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture
def cluster(tmp_path):
    """A running SLURM of one node with four processors and two (pretended) GPUs; yield the variables that lead to it."""
    found = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") for name in PROGRAMS}
    if lacking := [name for name, path in found.items() if path is None]:
        pytest.skip(f"{', '.join(lacking)} not found: apt-get install slurmctld slurmd slurm-client munge")
    folder, host = tmp_path / "slurm", socket.gethostname().split(".")[0]
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(parents=True)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    text = CONFIGURATION.format(folder=folder, host=host, user=getpass.getuser(), ports=free_ports(2))
    (folder / "slurm.conf").write_text(text)
    # Any device file makes a GPU that is handed out by its number.
    (folder / "gres.conf").write_text("Name=gpu File=/dev/tty[0-1]\n")
    # The plugin takes SLURM's variables, this one included, from what it starts within a job.
    (folder / "bin" / "srun").write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {found["srun"]} "$@"\n')
    (folder / "bin" / "srun").chmod(0o755)
    variables = {"SLURM_CONF": f"{folder}/slurm.conf", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    munge = [f"--{option}={folder}/munge.{end}" for option, end in files.items()]
    daemons = [["munged", "-F", "-f", *munge], ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]]
    started = []
    with (folder / "daemons.log").open("w") as log:
        for program, *options in daemons:
            command = [found[program], *options]
            started.append(subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log))
            time.sleep(0.5)
        try:
            deadline = time.monotonic() + 60
            while "idle" not in slurm(variables, "sinfo", "--noheader", "--format=%T"):
                assert time.monotonic() < deadline, "\n".join(path.read_text() for path in folder.glob("*.log"))
                time.sleep(0.5)
            yield variables
        finally:
            for daemon in reversed(started):
                daemon.terminate()
                daemon.wait(30)


def slurm(variables: dict[str, str], *command: str) -> str:
    """Return what a command of SLURM prints."""
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_a_benchmark_that_measures_time_has_a_node_to_itself(small, tmp_path, cluster):
    copy = copy_of(small, tmp_path / "copy")
    benchmarks = "[scenes, swaps, efficiency]"
    (copy / "timed.yaml").write_text(f"studies: {{edje: {{variants: {{edje: {{benchmarks: {benchmarks}}}}}}}}}\n")
    folder = copy / "results/edje/edje/seed0"
    for made in folder.glob("s*"):
        made.unlink()
    names = ("efficiency", "scenes", "swaps")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", *(f"results/edje/edje/seed0/{name}.json" for name in names)),
            *(*SMALL, "timed.yaml", "--workflow-profile", "profiles/slurm"),
            # Here is no database to ask, and no network's file system to wait for.
            *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
            *("--latency-wait", "5"),
        ],
        cwd=copy, env=environment(copy, **cluster), capture_output=True, text=True,
    )  # fmt: skip
    logs = [path.read_text() for path in (copy / ".snakemake" / "slurm_logs").rglob("*.log")]
    assert done.returncode == 0, "\n".join([done.stderr[-8000:], *logs])

    jobs = {}
    for lines in slurm(cluster, "scontrol", "show", "jobs").strip().split("\n\n"):
        job = dict(re.findall(r"(\w+)=(\S*)", lines))
        jobs[job["Comment"].rpartition("_")[2]] = job
    assert sorted(jobs) == sorted(names)
    timed = jobs.pop("efficiency")
    assert (timed["OverSubscribe"], timed["NumCPUs"]) == ("NO", "4")
    for name, job in jobs.items():
        assert (job["OverSubscribe"], job["NumCPUs"]) == ("OK", "1")
        assert job["EndTime"] <= timed["StartTime"] or timed["EndTime"] <= job["StartTime"]
        record = folder / f"{name}.json"
        assert damage(record, read_json(record), {}) == []
    # SLURM hands out the devices, so no job leases one.
    assert {job["TresPerJob"] for job in (timed, *jobs.values())} == {"gres:gpu:1"}
    assert not any("computing on GPU" in path.read_text() for path in (copy / "logs/evaluate/edje/edje").rglob("*.log"))


PLAN = """
import sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

with SnakemakeApi(OutputSettings(dryrun=True)) as api:
    # As with --executor slurm: so many jobs, and nobody knows how many cores. `snakemake -n` assumes one core.
    workflow = api.workflow(
        resource_settings=ResourceSettings(nodes=64),
        config_settings=ConfigSettings(configfiles=[Path(sys.argv[2])]),
        snakefile=Path(sys.argv[1]),
    )
    workflow.dag(DAGSettings(targets=set(sys.argv[3:]))).execute_workflow("slurm", pseudo_executor="dryrun")
"""


def test_no_number_of_cores_is_needed_where_there_is_none(tmp_path):
    results = [f"results/edje/edje/seed0/{name}.json" for name in ("efficiency", "scenes")]
    done = subprocess.run(
        [sys.executable, "-c", PLAN, REPOSITORY / "Snakefile", REPOSITORY / "config" / "smoke.yaml", *results],
        cwd=tmp_path, env=environment(REPOSITORY), capture_output=True, text=True,
    )  # fmt: skip
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown[-4000:]
    assert shown.count("slurm_extra=--exclusive") == 1


def test_the_profile_for_slurm_is_accepted(tmp_path):
    profile = str(REPOSITORY / "profiles" / "slurm")
    options = ("-n", "--workflow-profile", profile, "--snakefile", str(REPOSITORY / "Snakefile"))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *options, "--configfile", str(REPOSITORY / "config" / "smoke.yaml")],
        cwd=tmp_path, env=environment(REPOSITORY), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    train = done.stdout.split("rule train:")[1].split("\n\n")[0]
    assert "mem_mb=32000" in train
    assert "runtime=1440" in train
    assert "slurm_partition=gpu" in train
