"""Records, and the provenance beside them."""

import json

import pytest

from compactvl.dag.digest import source_digest
from compactvl.errors import UserError
from compactvl.files import read_json, sha256_file, write_json
from compactvl.records import record as manifest
from compactvl.records.record import (
    digest_holds,
    is_provenance,
    provenance_path,
    read_manifest,
    read_record,
    write_file_record,
    write_manifest,
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


def test_a_manifest_does_not_change_with_what_differs_from_run_to_run(tmp_path):
    write_manifest(
        tmp_path, stage="collect", seed=3, varying={"log.jsonl": "1" * 64}, key="k", code="c", device="cuda:0"
    )
    first, provenance = read_manifest(tmp_path, "collect"), read_record(tmp_path / "provenance.json")
    assert provenance["key"] == "k"
    assert provenance["code"] == "c"
    assert provenance["files"] == {"log.jsonl": "1" * 64}
    assert provenance["hardware"]
    assert provenance["packages"]["numpy"]
    before = (tmp_path / "manifest.json").read_bytes()
    write_manifest(tmp_path, stage="collect", seed=3, varying={"log.jsonl": "2" * 64}, key="l", started=0.0)
    assert (tmp_path / "manifest.json").read_bytes() == before
    assert first["seed"] == 3
    # A stage that is the same for every study knows its own code.
    assert read_record(tmp_path / "provenance.json")["code"] == source_digest(["compactvl.evaluation.results"])


def test_a_record_of_files_names_them_from_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("results/reports/edje.html", "results/figures/edje/a.png", "results/edje/metrics.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    made = ["results/reports/edje.html", "results/figures/edje/a.png"]
    record = write_file_record(
        "results/reports/edje.json", stage="report", files=made, inputs=["results/edje/metrics.csv"]
    )
    body = read_record(record)
    assert body["files"] == {"../figures/edje/a.png": sha256_file(made[1]), "edje.html": sha256_file(made[0])}
    assert body["inputs"] == {"file results/edje/metrics.csv": sha256_file("results/edje/metrics.csv")}
    assert manifest.verify_files(write_manifest(tmp_path / "x", stage="y").parent) == []
