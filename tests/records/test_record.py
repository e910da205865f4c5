"""Records, and the provenance beside them."""

import json
import time
from dataclasses import replace

import pytest

from compactvl.errors import UserError
from compactvl.files import read_json, sha256_file, write_json
from compactvl.records.record import (
    Made,
    digest_holds,
    hashes,
    is_provenance,
    provenance_path,
    read_manifest,
    read_record,
    record_path,
    write,
    write_record,
)


def test_a_record_is_read_as_it_was_written(tmp_path):
    body = {"shape": (3, 4), "shards": {2: "b", 10: "a"}, "loss": 0.1 + 0.2, "name": "café", "none": None}
    path = write_record(tmp_path / "x.json", body)
    read = read_record(path)
    assert read.pop("digest")
    assert read == {"shape": [3, 4], "shards": {"2": "b", "10": "a"}, "loss": 0.1 + 0.2, "name": "café", "none": None}
    before = path.read_bytes()
    assert write_record(path, body).read_bytes() == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda body: body["metrics"][0].update(value=0.9),
        lambda body: body.update(seed=1),
        lambda body: body["files"].pop("a"),
        lambda body: body.pop("digest"),
        lambda body: body.update(digest="0" * 64),
    ],
    ids=["number", "new key", "removed entry", "no digest", "wrong digest"],
)
def test_an_edited_record_is_not_read(tmp_path, edit):
    path = write_record(tmp_path / "x.json", {"metrics": [{"value": 0.5}], "files": {"a": "1"}})
    body = read_json(path)
    assert digest_holds(body)
    edit(body)
    write_json(path, body)
    with pytest.raises(UserError, match=r"x\.json was edited, damaged or made by an older version.*delete it and run"):
        read_record(path)


def test_the_order_of_keys_is_no_edit(tmp_path):
    path = write_record(tmp_path / "x.json", {"b": 1, "a": 2})
    path.write_text(json.dumps(dict(sorted(read_json(path).items()))))
    assert read_record(path)["a"] == 2


def test_what_is_no_record(tmp_path):
    write_json(tmp_path / "list.json", [1])
    with pytest.raises(UserError, match=r"list\.json is not a record"):
        read_record(tmp_path / "list.json")
    with pytest.raises(UserError, match=r"cannot read .*none\.json"):
        read_record(tmp_path / "none.json")


def test_provenance_is_beside_its_record(tmp_path):
    assert provenance_path(tmp_path / "manifest.json") == tmp_path / "provenance.json"
    assert provenance_path(tmp_path / "scenes.json") == tmp_path / "scenes.provenance.json"
    for name, wanted in (("provenance.json", True), ("a.provenance.json", True), ("my_provenance.json", False)):
        assert is_provenance(tmp_path / name) is wanted
    for name in ("manifest.json", "scenes.json"):
        assert record_path(provenance_path(tmp_path / name)) == tmp_path / name


MADE = Made("train", "c0de", {"state/settings/s/v.json": "1" * 64}, {"data/sets/d/manifest.json": "2" * 64}, seed=3)


def test_a_record_does_not_change_with_what_differs_from_run_to_run(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("a")
    made = replace(MADE, started=time.monotonic())
    record = write(tmp_path / "manifest.json", made, {"a": "3" * 64}, device="cuda:0", varying=[log], steps=7)
    provenance, before = read_record(tmp_path / "provenance.json"), record.read_bytes()
    assert (
        read_manifest(tmp_path, "train").items()
        >= {"steps": 7, "inputs": MADE.inputs, "files": {"a": "3" * 64}}.items()
    )
    assert provenance["key"] == MADE.key
    assert provenance["code"] == "c0de"
    assert provenance["settings"] == MADE.settings
    assert provenance["device"] == "cuda:0"
    assert provenance["files"] == {"log.jsonl": sha256_file(log)}
    assert 0 <= provenance["seconds"] < 60
    assert provenance["hardware"]
    assert provenance["packages"]["numpy"]
    assert provenance["record"] == {key: value for key, value in read_record(record).items() if key != "digest"}
    log.write_text("b")
    other = replace(MADE, code="other", settings={"state/settings/s/v.json": "9" * 64})
    assert write(record, other, {"a": "3" * 64}, varying=[log], steps=7).read_bytes() == before
    assert read_record(tmp_path / "provenance.json")["key"] == other.key != MADE.key


def test_a_key_is_over_all_that_decides_the_outcome():
    changes = [
        {"stage": "evaluate"},
        {"code": "other"},
        {"settings": {"state/settings/s/v.json": "4" * 64}},
        {"settings": {"state/settings/s/w.json": "1" * 64}},
        {"inputs": {"data/sets/d/manifest.json": "4" * 64}},
        {"inputs": {"data/sets/e/manifest.json": "2" * 64}},
        {"own_files": {"mine/norms.csv": "5" * 64}},
        {"own_files": {"mine/norms.csv": "6" * 64}},
        {"seed": 4},
    ]
    keys = {MADE.key, *(replace(MADE, **change).key for change in changes)}
    assert len(keys) == len(changes) + 1
    assert replace(MADE, started=MADE.started + 9).key == MADE.key
    # Where a file of the user's is decides nothing.
    here, there = (replace(MADE, own_files={f"{folder}/norms.csv": "5" * 64}) for folder in ("mine", "/home/me"))
    assert here.key == there.key


def test_a_record_names_files_from_its_own_folder_and_inputs_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("results/reports/edje.html", "results/figures/edje/a.png", "results/edje/metrics.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    made = ["results/reports/edje.html", "results/figures/edje/a.png"]
    inputs = hashes([tmp_path / "results" / "edje" / "metrics.csv", "results/../results/edje/metrics.csv"])
    assert inputs == {"results/edje/metrics.csv": sha256_file("results/edje/metrics.csv")}
    body = read_record(write("results/reports/edje.json", Made("report", "", inputs=inputs), made))
    assert body["files"] == {"../figures/edje/a.png": sha256_file(made[1]), "edje.html": sha256_file(made[0])}
    assert body["inputs"] == inputs
    with pytest.raises(UserError, match=r"cannot read none\.csv"):
        hashes(["none.csv"])
