"""`compactvl explain` over a small tree of records: every kind of thing, whole and damaged."""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from compactvl.cli import main as program
from compactvl.dag.digest import source_digest
from compactvl.dag.stages import code_now
from compactvl.evaluation.collect import collect, find_results
from compactvl.evaluation.results import Metric, write_result
from compactvl.files import sha256_file, write_json
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made, hashes, read_record, write, write_record
from compactvl.reporting.render import record_report

LAYOUT = Layout()
VARIANTS = [f"v{number}" for number in range(10)]
WORKFLOW = Path(__file__).parents[2] / "workflow"


def payload(path: Path, text: str = "x") -> Path:
    """Write a file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A source, weights, a data set, its tokens, ten runs with results, tables, a figure and a report."""
    root = tmp_path_factory.mktemp("tree")
    with contextlib.chdir(root):
        make_tree()
    return root


@pytest.fixture
def tree(made, tmp_path, monkeypatch):
    """A copy of it to work in."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "tree"))


def make_tree() -> None:
    archive = payload(LAYOUT.source("noto.tgz"), "archive")
    source = {"package": "@iconify-json/noto", "version": "1.2.9", "file": "noto.tgz", "licence": "Apache-2.0"}
    write_json(LAYOUT.settings("sources", "noto"), source)
    Path(f"{archive}.dvc").write_text("outs:\n- md5: 0123abcd\n  path: noto.tgz\n")

    def make(record: Path, stage: str, file: Path, *inputs: Path, **facts: Any) -> None:
        made = Made(stage, "c0de", inputs=hashes(inputs), modules=["compactvl.files"])
        write(record, made, [payload(file, stage)], **facts)

    dataset, weights, tokens = LAYOUT.dataset("scenes"), LAYOUT.weights("vit"), LAYOUT.tokens("vit", "scenes")
    settings = {"kind": "scenes", "styles": ["noto"], "seed": 7}
    make(dataset / MANIFEST, "curate", dataset / "items.parquet", archive, name="scenes", settings=settings)
    make(weights.with_suffix(".json"), "weights", weights, archive, name="vit")
    encoder, name = {"name": "vit", "precision": "bf16"}, {"name": "scenes"}
    read = dataset / "items.parquet", weights.with_suffix(".json")
    make(tokens / MANIFEST, "encode", tokens / "shard-00000.npy", *read, encoder=encoder, dataset=name)
    for variant in VARIANTS:
        write_job(variant, tokens)
    for study in (None, "toy"):
        collect(LAYOUT.results, Made("collect", "c0de", inputs=hashes(find_results(LAYOUT.results, study))), study)
    page = payload(LAYOUT.results / "reports" / "toy.html")
    payload(LAYOUT.results / "figures" / "toy" / "swaps.png")
    read = [payload(Path("reports/toy.py"), "import json\n"), payload(Path("reports/paper.mplstyle"))]
    read += [LAYOUT.results / "toy" / "metrics.csv", *sorted(LAYOUT.results.glob("toy/*/seed0/scenes.json"))]
    record_report(page, "toy", Made("report", "c0de", inputs=hashes(read)), begun=0.0)


def write_job(variant: str, tokens: Path) -> None:
    facts = {"study": "toy", "variant": variant, "seed": 0}
    run, result = LAYOUT.run("toy", variant, 0), LAYOUT.result("toy", variant, 0)
    write_json(run / "settings.json", {"kind": "toy", "width": 32, "nothing": None})
    files = [payload(run / "model.safetensors", variant), run / "settings.json"]
    made = Made("train", "c0de", inputs=hashes([LAYOUT.dataset("scenes") / MANIFEST, tokens / MANIFEST]), seed=0)
    write(run / MANIFEST, made, files, varying=[payload(run / "log.jsonl", "{}")], **facts)
    metric = Metric("t2i_r1@pool10", 0.5, 0.25, 0.75, n=40, chance=0.1, higher_is_better=True)
    made = Made("evaluate", "c0de", inputs=hashes([run / MANIFEST]), seed=0)
    settings = {"kind": "retrieval"}
    write_result(result, "scenes", pd.DataFrame({"x": [1]}), [metric], made, settings=settings, **facts)


def explain(capsys, *arguments: str) -> tuple[int, str]:
    code = program.main(["explain", *map(str, arguments)])
    done = capsys.readouterr()
    return code, done.out + done.err


WAYS = [
    ("results/figures/toy/swaps.png", "report toy"),
    ("results/reports/toy.html", "report toy"),
    ("results/metrics.csv", "collect results of all studies"),
    ("results/summary.csv", "collect results of all studies"),
    ("results/toy/metrics.csv", "collect results of toy"),
    ("results/toy/v3/seed0/scenes.json", "evaluate toy/v3 seed 0 on scenes"),
    ("results/toy/v3/seed0/scenes.parquet", "evaluate toy/v3 seed 0 on scenes"),
    ("results/toy/v3/seed0/scenes.provenance.json", "evaluate toy/v3 seed 0 on scenes"),
    ("runs/toy/v3/seed0", "train toy/v3 seed 0"),
    ("runs/toy/v3/seed0/log.jsonl", "train toy/v3 seed 0"),
    ("cache/tokens/vit/scenes", "encode images of scenes with vit"),
    ("cache/weights/vit.safetensors", "convert weights vit"),
    ("data/sets/scenes/items.parquet", "curate data set scenes"),
]


@pytest.mark.parametrize(("path", "first"), WAYS)
def test_every_thing_is_followed_to_its_pinned_package(tree, capsys, path, first):
    code, shown = explain(capsys, path)
    lines = [line.lstrip(" │├└─") for line in shown.splitlines()]
    assert code == 0, shown
    assert lines[0] == path
    assert lines[1].startswith(f"{first}: ")
    pin = f"sha256 {sha256_file('data/sources/noto.tgz')}, data/sources/noto.tgz.dvc (md5 0123abcd)"
    assert f"@iconify-json/noto 1.2.9, Apache-2.0: data/sources/noto.tgz {pin}" in lines
    assert any(line.startswith("packages: numpy: ") for line in lines), "versions, once"
    assert lines[-1] == "the chain is whole: every file is as recorded"


def test_a_chain_is_told_once(tree, capsys):
    shown = explain(capsys, "results/toy/v3/seed0/scenes.json", "--metric", "t2i_r1@pool10")[1]
    assert "t2i_r1@pool10 = 0.5 [0.25, 0.75], n 40, chance 0.1" in shown
    assert shown.count("settings: kind=scenes, styles=[noto], seed=7") == 1
    assert "curate data set scenes: above" in shown
    assert "settings: kind=toy, width=32" in shown
    assert "code c0de" in shown
    found = [shown.index(what) for what in ("evaluate toy/v3", "train toy/v3", "encode images", "convert weights")]
    assert found == sorted(found)


def test_a_figure_of_many_results_groups_them(tree, capsys):
    code, shown = explain(capsys, "results/figures/toy/swaps.png")
    assert code == 0
    assert shown.count("10 steps: evaluate toy/v0 seed 0 on scenes") == 1
    assert shown.count("10 steps: train toy/v0 seed 0") == 1
    assert "convert weights vit" in shown, "what is behind the groups is told too"
    assert len(shown.splitlines()) < 50
    told = json.loads(explain(capsys, "results/figures/toy/swaps.png", "--json")[1])
    assert [step["body"]["stage"] for step in told["steps"]].count("train") == 10


def test_code_that_is_no_more_has_no_digest(tmp_path):
    assert code_now(["compactvl.files"]) == source_digest(["compactvl.files"])
    assert code_now(["compactvl.files", "compactvl.of_old"]) is None
    assert code_now([str(tmp_path / "notebook.py")]) is None


def test_what_was_read_is_told_with_the_step_that_made_it(tree, capsys):
    told = json.loads(explain(capsys, "runs/toy/v3/seed0", "--json")[1])
    steps = {step["record"]: step for step in told["steps"]}
    weights = "cache/weights/vit.json"
    made_by = {"data/sets/scenes/items.parquet": "data/sets/scenes/manifest.json", weights: weights}
    assert steps["cache/tokens/vit/scenes/manifest.json"]["steps"] == made_by
    [archive] = steps[weights]["inputs"].items()
    assert archive == ("data/sources/noto.tgz", sha256_file("data/sources/noto.tgz"))
    assert steps[weights]["sources"][archive[0]]["version"] == "1.2.9"
    assert steps[weights]["provenance"]["code"] == "c0de"
    assert steps[weights]["code_now"] == source_digest(["compactvl.files"])
    assert steps["runs/toy/v3/seed0/manifest.json"]["code_now"] is None, "nothing says where it began"


@pytest.mark.parametrize(
    ("row", "variants"), [("toy/v3/scenes/t2i_r1@pool10", {"v3"}), ("toy/v4/scenes/t2i_r1@pool10@0", {"v4"})]
)
@pytest.mark.parametrize("table", ["metrics.csv", "metrics.json", "summary.csv"])
def test_one_row_of_a_table(tree, capsys, table, row, variants):
    code, shown = explain(capsys, f"results/{table}", "--row", row, "--json")
    told = json.loads(shown)
    assert code == 0
    assert [number["value"] for number in told["numbers"]] == [0.5]
    assert {step["body"].get("variant") for step in told["steps"]} - {None} == variants
    assert told["problems"] == []
    assert told["steps"][0]["record"] == "results/manifest.json"


DAMAGES = [
    ("data/sources/noto.tgz", "data/sets/scenes/manifest.json: stale, made from another data/sources/noto.tgz"),
    ("data/sets/scenes/items.parquet", "data/sets/scenes/items.parquet: content differs from manifest.json"),
    ("data/sets/scenes/manifest.json", "data/sets/scenes/manifest.json: edited or damaged"),
    ("cache/weights/vit.safetensors", "cache/weights/vit.safetensors: content differs from vit.json"),
    ("runs/toy/v3/seed0/log.jsonl", "runs/toy/v3/seed0/log.jsonl: content differs from provenance.json"),
    ("runs/toy/v3/seed0/provenance.json", "runs/toy/v3/seed0/provenance.json: edited or damaged"),
    ("results/toy/v3/seed0/scenes.json", "results/toy/v3/seed0/scenes.json: edited or damaged"),
]


@pytest.mark.parametrize("remove", [False, True], ids=["changed", "removed"])
@pytest.mark.parametrize(("path", "line"), DAMAGES)
def test_what_is_not_as_recorded_is_named(tree, capsys, path, line, remove):
    damaged = Path(path)
    content = damaged.read_bytes()
    if remove:
        damaged.unlink()
        line = f"{path}: missing"
    elif damaged.suffix == ".json":
        damaged.write_bytes(
            content.replace(b'"seed": 0', b'"seed": 1').replace(b"scenes", b"scene_", 1).replace(b"cpu", b"gpu")
        )
    else:
        damaged.write_bytes(content + b" ")
    code, shown = explain(capsys, "results/reports/toy.html")
    assert code == 1, shown
    assert any(found.startswith(line) for found in shown.splitlines()), shown
    assert "problem(s)" in shown.splitlines()[-1]


def test_a_step_made_from_another_input_is_named(tree, capsys):
    run = LAYOUT.run("toy", "v3", 0)
    body = {k: v for k, v in read_record(run / "manifest.json").items() if k != "digest"}
    write_record(run / "manifest.json", body | {"steps": 1})
    code, shown = explain(capsys, "results/toy/v3/seed0/scenes.parquet")
    assert code == 1
    wanted = "results/toy/v3/seed0/scenes.json: stale, made from another runs/toy/v3/seed0/manifest.json"
    assert wanted in shown.splitlines()


def test_quick_hashes_nothing_but_sees_what_is_missing(tree, capsys):
    path = Path("data/sets/scenes/items.parquet")
    path.write_text("changed")
    assert explain(capsys, "runs/toy/v3/seed0", "--quick")[0] == 0
    path.unlink()
    code, shown = explain(capsys, "runs/toy/v3/seed0", "--quick")
    assert code == 1
    assert f"{path}: missing" in shown


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["results/none.csv"], "results/none.csv is missing: give a file"),
        (
            ["results/toy/v3/seed0/mine.txt"],
            "no record vouches for it; records nearby: results/toy/v3/seed0/scenes.json",
        ),
        (["empty"], "no record vouches for it; there is no record in its folder"),
        (["results/toy/v3/seed0/scenes.json", "--metric", "t2i_r1@pool"], 'no metric "t2i_r1@pool"; did you mean'),
        (["results/metrics.csv", "--row", "toy/v3/scenes"], "is not study/variant/benchmark/metric[@seed]"),
        (["results/metrics.csv", "--row", "toy/v33/scenes/t2i_r1"], 'has no "toy/v33/scenes"; did you mean'),
        (["results/metrics.csv", "--row", "toy/v3/scenes/t2i_r1@pool10@4"], "has no seed 4, only 0"),
        (["results/toy/v3/seed0/scenes.json", "--row", "toy/v3/scenes/x"], "has no rows of metrics"),
    ],
)
def test_a_path_that_nothing_is_known_of(tree, capsys, arguments, line):
    Path("results/toy/v3/seed0/mine.txt").write_text("notes")
    Path("empty").mkdir()
    code, shown = explain(capsys, *arguments)
    assert code == 2
    assert shown.startswith("error: ")
    assert line in shown
    assert len(shown.splitlines()) == 1


def test_nothing_heavy_is_imported(tree):
    code = (
        "import sys; from compactvl.cli.main import main; "
        "code = main(['explain', 'results/toy/v3/seed0/scenes.json']); "
        "heavy = {'torch', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules); sys.exit(code or bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(WORKFLOW)}, check=False)
    assert done.returncode == 0


def test_a_figure_that_the_notebook_no_longer_draws_is_not_vouched_for(tree, capsys):
    old = LAYOUT.results / "figures" / "toy" / "old.png"
    payload(old)
    assert explain(capsys, old)[0] == 2
    write("results/reports/other.json", Made("report", ""), [old])
    assert explain(capsys, old, "--json")[0] == 0


def test_a_compressed_store_is_followed_to_its_run(tree, capsys):
    run, tokens, store = LAYOUT.run("toy", "v3", 0), LAYOUT.tokens("vit", "scenes"), Path("cache/compressed")
    made = Made("encode", "c0de", inputs=hashes([run / MANIFEST, tokens / MANIFEST]))
    write(store / MANIFEST, made, [payload(store / "shard-00000.npy")])
    code, shown = explain(capsys, store)
    assert code == 0
    assert "train toy/v3 seed 0: runs/toy/v3/seed0/manifest.json" in shown
    assert "encode images of scenes with vit: above" in shown
