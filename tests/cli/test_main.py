import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compactvl.cli import main as program
from compactvl.command import Command
from compactvl.config.overlay import read_yaml
from compactvl.errors import UserError

REPOSITORY = Path(__file__).parents[2]
NAMES = [command.name for command in program.commands()]


def run(*arguments, cwd=REPOSITORY, **environment):
    return subprocess.run(
        [sys.executable, "-m", "compactvl.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow"), **environment},
        capture_output=True,
        text=True,
    )


def with_command(monkeypatch, function):
    command = Command("try", "try it", "compactvl try", (), function)
    monkeypatch.setattr(program, "commands", lambda: [command])


def test_the_commands_of_the_pipeline_are_there():
    wanted = "fetch weights curate encode embed train evaluate collect report index params rerank verify"
    assert set(wanted.split()) <= set(NAMES)
    assert {"tokens info", "config check", "config show", "config describe"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main([*name.split(), "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert f"example:\n  compactvl {name}" in shown
    assert "--log-level" in shown


@pytest.mark.parametrize("name", NAMES)
def test_settings_files_in_examples_are_of_the_demo(name):
    command = next(command for command in program.commands() if command.name == name)
    config = read_yaml(REPOSITORY / "config.yaml")
    sections = config | {study: body.get("variants", {}) for study, body in config["studies"].items()}
    for section, entry in re.findall(r"state/settings/(\w+)/(\w+)\.json", command.example):
        assert entry in sections[section]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_every_command_parses(name):
    found = program.commands()
    command = next(command for command in found if command.name == name)
    words = [word.strip("'\"") for word in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", command.example)]
    args = program.build_parser(found).parse_args(words[1:])
    assert args.command is command


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from compactvl.cli.main import build_parser, commands; build_parser(commands()); "
        "print(sorted({'torch', 'pandas', 'numpy', 'pydantic', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY / "workflow", capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_user_error_is_one_line_each_and_exit_code_2(monkeypatch, capsys):
    def fail(args):
        raise UserError("a.b: wrong\nc.d: wrong too")

    with_command(monkeypatch, fail)
    assert program.main(["try"]) == 2
    assert capsys.readouterr().err == "error: a.b: wrong\nerror: c.d: wrong too\n"


def test_a_defect_keeps_its_traceback(monkeypatch):
    def fail(args):
        raise KeyError("ours")

    with_command(monkeypatch, fail)
    with pytest.raises(KeyError):
        program.main(["try"])


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 1 B")],
)
def test_a_machine_without_memory_is_one_line(monkeypatch, capsys, error):
    def fail(args):
        raise error

    with_command(monkeypatch, fail)
    assert program.main(["try"]) == 2
    assert re.fullmatch(r"error: out of memory \(.+\); run fewer jobs at a time, .*\n", capsys.readouterr().err)


def shell(line, **environment):
    """Run a line of a shell in which ``compactvl`` is the program; what it prints waits in its buffer."""
    program = f'compactvl() {{ "{sys.executable}" -m compactvl.cli "$@"; }}; '
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", program + line],
        cwd=REPOSITORY, env={**kept, "PYTHONPATH": str(REPOSITORY / "workflow"), **environment}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file whose disk is always full")
@pytest.mark.parametrize("buffered", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_output_that_finds_no_room_is_one_line(buffered):
    done = shell("compactvl config describe encoders > /dev/full", **buffered)
    assert done.returncode == 2
    assert done.stderr == "error: No space left on device; free some space and run again\n"


@pytest.mark.parametrize(
    "line",
    [
        "compactvl config describe encoders | true",
        "compactvl config describe encoders --help | true",
        "compactvl config check >&-",
        "PYTHONIOENCODING=latin-1 compactvl config describe datasets.folder > /dev/null",
    ],
)
def test_a_reader_that_has_gone_or_reads_little_is_no_error(line):
    done = shell(line)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_job_ends_with_130_and_leaves_no_temporary_file(tmp_path, number):
    code = (
        "import sys, time\n"
        "from compactvl.cli import main as program\n"
        "from compactvl.command import Command\n"
        "from compactvl.files import atomic_path\n"
        "def run(args):\n"
        "    with atomic_path('out.bin') as path:\n"
        "        path.write_bytes(b'x' * 10)\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "program.commands = lambda: [Command('try', 'try', 'compactvl try', (), run)]\n"
        "sys.exit(program.main(['try']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - started < 20
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_unknown_command_and_missing_argument_exit_with_2():
    assert run("trian").returncode == 2
    assert run("train").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "--settings", "none.json", "--out", "x"], "error: cannot read none.json"),
        (["tokens", "info", "none"], "error: "),
        (["verify", "none"], "error: none is not a folder"),
        (["verify", "."], "error: nothing to verify"),
        (["config", "check"], "error: cannot read config file config.yaml"),
        (
            ["evaluate", "--settings=s.json", "--study=a", "--variant=b", "--seed=0", "--benchmark=c", "--out=o"],
            "error: cannot read s.json",
        ),
    ],
)
def test_what_the_user_can_mend_is_one_clear_line(tmp_path, arguments, message):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert "Traceback" not in done.stderr


def test_a_wrong_settings_file_is_told_with_its_place(tmp_path):
    (tmp_path / "noto.json").write_text(json.dumps({"client": "npm", "packge": "x"}))
    done = run("fetch", "--settings", "noto.json", "--out", "x.tgz", cwd=tmp_path)
    assert done.returncode == 2
    assert 'noto.json.settings.packge: unknown setting; did you mean "package"?' in done.stderr


def test_config_show_prints_a_part_with_defaults_filled_in():
    done = run("config", "show", "encoders.dinov2_s")
    assert done.returncode == 0, done.stderr
    assert "image_size: 112" in done.stdout
    assert "shard_megabytes:" in done.stdout
    wrong = run("config", "show", "encoders.dino")
    assert wrong.returncode == 2
    assert 'did you mean "dinov2_s"?' in wrong.stderr


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        ("", ["size: text, required", "datasets: by name"]),
        ("datasets", ["scenes", "    Composed scenes of emoji artwork with generated captions."]),
        (
            "datasets.scenes",
            [
                "kind: scenes",
                "concepts: whole number ≥ 4, default 60",
                "    Number of kinds of object, taken from the front of the noun list.",
                "    train: whole number ≥ 1, default 4000",
                'styles: list of text, default ["noto", "twemoji", "fluent", "openmoji"]',
            ],
        ),
        ("datasets.scenes.images", ["test: whole number ≥ 1, default 500"]),
        ("encoders", ["dinov2_s", "timm", "    Any timm model by name."]),
        ("encoders.timm", ["loader: timm", "model: text, required", 'storage: fp16 | int8 | fp8, default "fp16"']),
        ("weights", ["transformers_bert"]),
        ("sources.client", []),
        ("studies", ["dide", "edje", "encoder_roles", "gating"]),
        ("studies.edje", ["joint", "embedding"]),
        ("studies.edje.joint", ["first_stage: text, required", "    Embedding variant whose candidates are reranked."]),
        ("benchmarks", ["retrieval", "language"]),
        ("benchmarks.language.tasks", ["max_items: whole number ≥ 1 or null, default null"]),
    ],
)
def test_config_describe_prints_every_setting(place, lines, capsys):
    assert program.main(["config", "describe", place]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line not in shown] == []


def test_config_describe_knows_every_setting_of_every_kind(capsys):
    from compactvl.config.kinds import find_kind, kind_names
    from compactvl.dag.root import KINDS
    from compactvl.studies.study import find_study, study_names

    models = {f"{part}.{name}": find_kind(home, name) for part, home in KINDS.items() for name in kind_names(home)}
    for study in study_names():
        models |= {f"studies.{study}.{kind}": model for kind, model in find_study(study, "").kinds.items()}
    for place, model in models.items():
        program.main(["config", "describe", place])
        shown = re.findall(r"^(\w+)", capsys.readouterr().out, re.MULTILINE)
        assert set(model.model_fields) <= set(shown), place


def test_config_describe_suggests_a_place(capsys):
    assert program.main(["config", "describe", "datasets.scene"]) == 2
    assert capsys.readouterr().err == 'error: datasets: has no "scene"; did you mean "scenes"?\n'


def test_verify_tells_missing_and_changed_files(tmp_path):
    from compactvl.files import sha256_bytes
    from compactvl.records.record import Made, write

    folder = tmp_path / "runs" / "a"
    write(folder / "manifest.json", Made("x", ""), {"a": sha256_bytes(b"1"), "b": sha256_bytes(b"1")})
    (folder / "a").write_bytes(b"1")
    (folder / "b").write_bytes(b"1")
    assert run("verify", cwd=tmp_path).returncode == 0
    (folder / "a").write_bytes(b"2")
    (folder / "b").unlink()
    done = run("verify", cwd=tmp_path)
    assert done.returncode == 1
    assert "runs/a/a: content differs from manifest.json" in done.stdout
    assert "runs/a/b: missing" in done.stdout
