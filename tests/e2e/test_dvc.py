"""DVC beside Snakemake: a data set's history, the way back to a revision, and results that are shared. Real git, DVC and sshd.

Three revisions of one repository are made: A; B, whose Brown corpus has one sentence more; C, whose photos are trained on
for fewer steps.
"""

import contextlib
import csv
import io
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from e2e_tools import SMALL, changed, copy_of, flipped, planned, planned_outputs, python, run, snakemake, write_yaml

from compactvl.config.overlay import load_config
from compactvl.files import sha256_file

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MADE = ("data/sets", "cache/weights", "cache/tokens", "cache/texts", "runs", "results")
SENTENCE = b"\nThe/at dog/nn saw/vbd the/at red/jj house/nn ./.\n"
SHORTER = {"studies": {"edje": {"variants": {"photos": {"optimiser": {"steps": 6}}}}}}
"""An overlay: one variant's settings."""


@dataclass(frozen=True)
class History:
    """A repository with the revisions (tags) A, B and C; C is checked out after it was made.

    Attributes:
        home: the repository.
        store: its default remote, a folder.
        contents: revision → file → SHA-256 of everything the pipeline made.
        metrics: revision → ``results/metrics.csv``.
        made: revision → rule → first output of each job that led from the revision before.
        times: revision → file → time.
        repro: output of ``dvc repro`` on the clean tree of C.
    """

    home: Path
    store: Path
    contents: dict[str, dict[str, str]] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    made: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    times: dict[str, dict[str, int]] = field(default_factory=dict)
    repro: list[str] = field(default_factory=list)

    def record(self, revision: str) -> None:
        """Commit the repository as it is and remember what is in it."""
        git(self.home, "add", "--all")
        git(self.home, "commit", "--quiet", "--message", revision)
        git(self.home, "tag", revision)
        self.contents[revision] = contents(self.home)
        self.times[revision] = times(self.home)
        self.metrics[revision] = (self.home / "results" / "metrics.csv").read_text()


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def made_files(folder: Path) -> list[Path]:
    return sorted(path for name in MADE for path in (folder / name).rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in made_files(folder)}


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in made_files(folder)}


def go(home: Path, revision: str) -> None:
    git(home, "checkout", "--quiet", revision)
    run(home, "dvc", "checkout")


def edit_config(home: Path, overlay: dict) -> None:
    write_yaml(home / "overlay.yaml", overlay)
    config = load_config([home / "overlay.yaml"], home / "config.yaml")
    (home / "overlay.yaml").unlink()
    write_yaml(home / "config.yaml", config)


def repack(archive: Path) -> None:
    """Put an archive with one sentence more in the place of the Brown corpus."""
    buffer = io.BytesIO()
    with tarfile.open(archive, "r:gz") as old, tarfile.open(fileobj=buffer, mode="w:gz") as new:
        for member in old:
            data = old.extractfile(member).read() + (SENTENCE if member.name == "package/ca01" else b"")
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    archive.unlink()
    archive.write_bytes(buffer.getvalue())


@pytest.fixture(scope="module", autouse=True)
def settings_of_their_own(tmp_path_factory):
    """Git and DVC read no settings of the user's and keep nothing in the user's folders; `dvc repro` finds snakemake."""
    folder = tmp_path_factory.mktemp("settings")
    (folder / "gitconfig").write_text(
        "[user]\nname = Tester\nemail = tester@example.org\n[init]\ndefaultBranch = main\n[advice]\ndetachedHead = false\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("SITE_CACHE", "SYSTEM_CONFIG", "GLOBAL_CONFIG"):
            patch.setenv(f"DVC_{kind}_DIR", str(folder / kind.lower()))
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def history(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dvc")
    home = copy_of(small, folder / "home")
    for archive in (home / "data" / "sources").glob("*.[tw][gh][zl]"):
        # The archives are links to the repository's own: nothing may be written through them.
        shutil.copy2(archive, archive.with_suffix(".copy"))
        os.replace(archive.with_suffix(".copy"), archive)
    config = load_config([home / name for name in SMALL[1:]], home / "config.yaml")
    # No token stores but those the studies need: `all` has then made what `data tokens` of dvc.yaml makes.
    write_yaml(home / "config.yaml", config | {"tokens": {}})
    (home / "small.yaml").unlink()
    (home / "photos.yaml").unlink()
    stages = yaml.safe_load((home / "dvc.yaml").read_text())
    stages["stages"]["data"]["deps"].append("photos")
    write_yaml(home / "dvc.yaml", stages)
    history = History(home, folder / "store")
    # DVC wants every archive and data set that it tracks, also those that nothing here reads.
    snakemake(home, "sources", "data")

    git(home, "init", "--quiet")
    run(home, "dvc", "remote", "add", "--default", "store", str(history.store))
    run(home, "dvc", "add", "photos")
    # Under DVC the photos' identity is their hash and no longer their times: the set is made again, to the same bytes.
    before = contents(home)
    snakemake(home)
    drawn_again = ("results/reports", "results/figures")
    changed = [path for path, sha256 in contents(home).items() if before[path] != sha256]
    assert [path for path in changed if "provenance" not in path and not path.startswith(drawn_again)] == []
    run(home, "dvc", "commit", "--force")
    history.record("A")

    repack(home / "data" / "sources" / "brown.tgz")
    run(home, "dvc", "add", "data/sources/brown.tgz")
    history.made["B"] = planned_outputs(snakemake(home, "-n"))
    snakemake(home)
    run(home, "dvc", "commit", "--force")
    history.record("B")

    edit_config(home, SHORTER)
    history.made["C"] = planned_outputs(run(home, "dvc", "repro"))
    history.record("C")
    history.repro.append(run(home, "dvc", "repro"))
    run(home, "dvc", "push", "--all-commits")
    return history


def folders(outputs: dict[str, list[str]], *rules: str) -> set[str]:
    return {str(Path(path).parent) for rule in rules for path in outputs.get(rule, [])}


def differing(history: History, old: str, new: str) -> set[str]:
    before, after = history.contents[old], history.contents[new]
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def test_an_updated_source_re_runs_exactly_what_depends_on_it(history):
    made = history.made["B"]
    assert folders(made, "curate") == {"data/sets/brown", "data/sets/brown_pairs"}
    runs = folders(made, "train", "train_first")
    assert "runs/gating/base/seed0" in runs
    assert all(path.startswith("runs/gating/") for path in runs)
    assert all(path.startswith("results/gating/") for path in folders(made, "evaluate"))
    assert not {"fetch", "weights", "encode", "embed"} & made.keys()
    assert made["notebook"] == ["results/reports/gating.html"]
    assert {"data/sets/brown/items.parquet", "results/metrics.csv"} <= differing(history, "A", "B")
    assert not [path for path in differing(history, "A", "B") if "edje" in path and "/seed0/" in path]


def test_repro_runs_the_same_dag_and_keeps_increments(history):
    made = history.made["C"]
    assert folders(made, "train", "train_first") == {"runs/edje/photos/seed0"}
    assert folders(made, "evaluate") == {"results/edje/photos/seed0"}
    assert not {"fetch", "weights", "curate", "encode", "embed"} & made.keys()
    written = {path for path, at in history.times["C"].items() if history.times["B"].get(path) != at}
    assert written
    assert not [path for path in written if path.startswith(("data", "cache"))]
    assert all("edje/photos" in path for path in written if "/seed0/" in path)


def test_repro_of_a_clean_tree_does_nothing(history):
    assert "Stage 'data' didn't change, skipping" in history.repro[0]
    assert "Stage 'studies' didn't change, skipping" in history.repro[0]
    assert "up to date" in history.repro[0]


def test_metrics_and_plots_are_those_of_the_table(history):
    home = history.home
    go(home, "C")
    assert run(home, "dvc", "status").strip() == "Data and pipelines are up to date."
    shown = json.loads(dvc_output(home, "metrics", "show", "--json"))[""]["data"]["results/metrics.json"]["data"]
    rows = list(csv.DictReader(io.StringIO(history.metrics["C"])))
    for row in rows:
        value = shown[row["study"]][row["variant"]][row["benchmark"]][row["metric"]]
        assert value == pytest.approx(float(row["value"]), rel=1e-5), row

    diff = json.loads(dvc_output(home, "metrics", "diff", "--json", "A"))["results/metrics.json"]
    old = {key_of(row): float(row["value"]) for row in csv.DictReader(io.StringIO(history.metrics["A"]))}
    new = {key_of(row): float(row["value"]) for row in rows}
    assert diff.keys() == {key for key in new if old[key] != new[key]}
    for key, change in diff.items():
        assert change["old"] == pytest.approx(old[key], rel=1e-5)
        assert change["new"] == pytest.approx(new[key], rel=1e-5)

    for arguments, revisions in ((("show",), {"workspace"}), (("diff", "A", "C"), {"A", "C"})):
        plots = json.loads(dvc_output(home, "plots", *arguments, "--json"))["data"]
        [plot] = plots["Recall at 1, text to image"]
        content = plot["content"] if isinstance(plot["content"], dict) else json.loads(plot["content"])
        points = content["data"]["values"]
        assert {point["rev"] for point in points} == revisions
        for revision in revisions:
            table = new if revision == "workspace" else {"A": old, "C": new}[revision]
            of = {
                key_of({**point, "metric": "t2i_r1"}): point["t2i_r1"] for point in points if point["rev"] == revision
            }
            drawn = {key: float(value) for key, value in of.items() if value != ""}
            assert drawn == pytest.approx({key: table[key] for key in drawn}, rel=1e-5)
            assert "edje.retriever.scenes.t2i_r1" in drawn
    assert "results/metrics.json" in run(home, "dvc", "metrics", "diff", "A")
    assert (Path(run(home, "dvc", "plots", "show").strip().removeprefix("file://"))).is_file()


def key_of(row: dict[str, str]) -> str:
    return ".".join(row[name] for name in ("study", "variant", "benchmark", "metric"))


def dvc_output(home: Path, *arguments: str) -> str:
    done = python(home, "dvc", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def edits_are_seen(home: Path) -> None:
    """A restored tree has lost nothing: settings and code that change re-run what they must."""
    write_yaml(home / "other.yaml", {"studies": {"gating": {"variants": {"base": {"optimiser": {"lr": 1.0e-4}}}}}})
    jobs = planned_outputs(snakemake(home, "-n", "--configfile", "other.yaml"))
    (home / "other.yaml").unlink()
    assert folders(jobs, "train", "train_first") == {"runs/gating/base/seed0"}
    loop = home / "workflow" / "compactvl" / "training" / "loop.py"
    with changed(loop, loop.read_bytes() + b"\nUNUSED = 1\n"):
        jobs = planned(snakemake(home, "-n"))
    assert jobs["train"] + jobs["train_first"] > 5
    assert planned(snakemake(home, "-n")) == {}


@pytest.mark.parametrize("revision", ["B", "A"])
def test_a_checkout_brings_back_an_older_revision(history, revision):
    """From C to B is a settings change, from B to A one of the data."""
    home = history.home
    go(home, "C" if revision == "B" else "B")
    go(home, revision)
    assert contents(home) == history.contents[revision]
    before = times(home)
    assert "as they would be made" in run(home, "compactvl.cli", "restore", "-n")
    assert times(home) == before
    assert "marked as up to date" in run(home, "compactvl.cli", "restore")
    assert contents(home) == history.contents[revision]
    assert planned(snakemake(home, "-n")) == {}
    assert python(home, "dvc", "status", "-q").returncode == 0
    assert git(home, "status", "--porcelain") == ""
    edits_are_seen(home)


@pytest.fixture(scope="module")
def clone(history):
    """A fresh clone of C with everything pulled from the folder, and restored."""
    folder = history.home.parent / "clone"
    git(history.home.parent, "clone", "--quiet", "--branch", "C", str(history.home), folder.name)
    run(folder, "dvc", "pull")
    assert contents(folder) == history.contents["C"]
    run(folder, "compactvl.cli", "restore")
    return folder


def test_a_pulled_clone_has_nothing_to_do(history, clone):
    assert contents(clone) == history.contents["C"]
    assert planned(snakemake(clone, "-n")) == {}
    assert python(clone, "dvc", "status", "-q").returncode == 0
    edits_are_seen(clone)


def refuses(folder: Path, *lines: str, arguments: tuple[str, ...] = ()) -> None:
    """``compactvl restore`` fails, names what is wrong, and touches nothing."""
    before = times(folder)
    done = python(folder, "compactvl.cli", "restore", *arguments)
    assert done.returncode == 1, done.stderr
    for line in lines:
        assert line in done.stdout
    assert "nothing was marked" in done.stdout
    assert times(folder) == before


@contextlib.contextmanager
def committed(folder: Path) -> Iterator[None]:
    """Within the context DVC is told that what is there is right."""
    run(folder, "dvc", "commit", "--force")
    try:
        yield
    finally:
        git(folder, "checkout", "--quiet", "--", "dvc.lock")


def test_what_is_not_as_recorded_is_not_blessed(clone):
    model = clone / "runs" / "edje" / "retriever" / "seed0" / "model.safetensors"
    with changed(model, flipped(model.read_bytes(), -1)):
        refuses(
            clone,
            "runs: differs from dvc.lock; run 'dvc checkout'",
            "runs/edje/retriever/seed0/model.safetensors: modified",
            "runs/edje/retriever/seed0/model.safetensors: content differs from manifest.json",
        )
        with committed(clone):
            refuses(clone, "runs/edje/retriever/seed0/model.safetensors: content differs from manifest.json")
    page = clone / "results" / "reports" / "index.html"
    with changed(page, None):
        refuses(clone, "results/reports/index.html: deleted")
    run(clone, "compactvl.cli", "restore", "-n")


def test_what_other_code_or_settings_made_is_not_blessed(clone):
    config = clone / "config.yaml"
    text = yaml.safe_load(config.read_text())
    text["studies"]["edje"]["variants"]["photos"]["optimiser"]["steps"] += 1
    with changed(config, yaml.safe_dump(text, sort_keys=False).encode()):
        refuses(clone, "config.yaml: differs from dvc.lock; run snakemake")
        # Even when DVC was told so without a run.
        with committed(clone):
            changed_settings = "state/settings/edje/photos.json"
            refuses(clone, f"runs/edje/photos/seed0/manifest.json: stale, made from another {changed_settings}")
    loop = clone / "workflow" / "compactvl" / "training" / "loop.py"
    with changed(loop, loop.read_bytes() + b"\nUNUSED = 1\n"), committed(clone):
        refuses(clone, "runs/gating/base/seed0/manifest.json: made with other code, settings or inputs")
    run(clone, "compactvl.cli", "restore", "-n")


def test_an_overlay_that_the_lock_does_not_name_is_refused(clone):
    done = python(clone, "compactvl.cli", "restore", "--configfile", "config/smoke.yaml")
    assert done.returncode == 2
    assert "config/smoke.yaml: dvc.lock does not say that anything was made with it" in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluation_runs_without_training(history, clone):
    """The results are gone, the pulled runs are there."""
    shutil.rmtree(clone / "results")
    runs = {path: at for path, at in times(clone).items() if path.startswith("runs")}
    checked = run(clone, "compactvl.cli", "restore", "-n")
    assert "results: not here" in checked
    jobs = planned(snakemake(clone, "-n"))
    assert jobs.keys() <= {"evaluate", "collect", "collect_study", "parameters", "notebook", "index", "all"}
    made = planned_outputs(snakemake(clone))
    assert "evaluate" in made
    assert not {"train", "train_first"} & made.keys()
    assert {path: at for path, at in times(clone).items() if path.startswith("runs")} == runs
    assert untimed((clone / "results" / "metrics.csv").read_text()) == untimed(history.metrics["C"])


def untimed(table: str) -> list[str]:
    """Return the lines of a table of metrics that measure no time."""
    return [line for line in table.splitlines() if ",efficiency," not in line]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    """A real sshd on the loopback with keys of its own, for the user who runs the tests: (port, key file)."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin")
    if program is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd here (package openssh-server)")
    pytest.importorskip("dvc_ssh", reason="DVC cannot talk ssh (package dvc-ssh)")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    separation = Path("/run/sshd")
    ours = os.geteuid() == 0 and not separation.exists()
    if ours:
        separation.mkdir(mode=0o755)
    server = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert server.poll() is None, server.stderr.read()
            time.sleep(0.1)
        yield port, folder / "user"
    finally:
        server.terminate()
        server.wait(timeout=10)
        if ours:
            separation.rmdir()


def test_results_are_shared_over_ssh(history, sshd):
    port, key = sshd
    folder, store = history.home.parent / "wire_clone", history.home.parent / "wire_store"
    git(history.home.parent, "clone", "--quiet", "--branch", "C", str(history.home), folder.name)
    for repository in (history.home, folder):
        run(repository, "dvc", "remote", "add", "--local", "wire", f"ssh://127.0.0.1{store}")
        for name, value in (("port", port), ("user", pwd.getpwuid(os.getuid()).pw_name), ("keyfile", key)):
            run(repository, "dvc", "remote", "modify", "--local", "wire", name, str(value))
    go(history.home, "C")
    run(history.home, "dvc", "push", "-r", "wire")
    assert store.is_dir()
    run(folder, "dvc", "pull", "-r", "wire")
    assert contents(folder) == history.contents["C"]
