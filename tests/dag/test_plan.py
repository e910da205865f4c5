import json
import os
from pathlib import Path

import pytest

import compactvl.studies
from compactvl.config.overlay import read_yaml
from compactvl.dag.plan import Plan
from compactvl.dag.settings_files import LONG_AGO, write_settings_files
from compactvl.errors import UserError
from compactvl.records.layout import Layout
from compactvl.studies.base import Needs

TOY = """
from typing import Annotated, Literal
from compactvl.config.references import Ref
from compactvl.studies.base import Needs, Variant
from compactvl.studies.study import Study

class Toy(Variant):
    opens = {"pairs": "compactvl.studies.run:train_nothing"}
    trains = "compactvl.studies.run:train_nothing"
    kind: Literal["toy"] = "toy"
    dataset: Annotated[str, Ref("datasets")] = "scenes"
    width: int = 8
    teacher: Annotated[str | None, Ref("variants")] = None

    def training_needs(self, peers):
        return Needs.of(datasets={self.dataset}, tokens={("dinov2_s", self.dataset)})

    def evaluation_needs(self, benchmark, peers):
        return Needs.of(tokens={("dinov2_s", benchmark.dataset)})

STUDY = Study("toy", [Toy])
"""


@pytest.fixture
def toy(config, tmp_path, monkeypatch):
    """Demo configuration with a small study found beside the installed ones."""
    folder = tmp_path / "studies" / "toy"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(TOY)
    monkeypatch.setattr(compactvl.studies, "__path__", [*compactvl.studies.__path__, str(folder.parent)])
    config["studies"] = {
        "toy": {
            "variants": {
                "teacher": {"kind": "toy", "width": 32},
                "student": {"base": "teacher", "width": 4, "teacher": "teacher", "benchmarks": ["scenes"]},
                "pupil": {"base": "student", "teacher": "student"},
            }
        }
    }
    return config


def test_jobs_and_their_edges(toy):
    toy["seeds"] = [0, 1]
    plan = Plan(toy)
    assert [(job.variant, job.seed) for job in plan.trainings] == [
        (variant, seed) for variant in ("teacher", "student", "pupil") for seed in (0, 1)
    ]
    assert {(job.variant, job.benchmark) for job in plan.evaluations} == {("student", "scenes"), ("pupil", "scenes")}
    assert plan.tokens == [("dinov2_s", "scenes")]
    assert plan.edges(plan.needs("toy", "student"), "toy", 1) == [
        "data/sets/scenes/manifest.json",
        "cache/tokens/dinov2_s/scenes/manifest.json",
        "runs/toy/teacher/seed1/manifest.json",
    ]
    assert plan.blobs(plan.needs("toy", "student"), "toy", 1) == [
        "data/sets/scenes/items.parquet",
        "runs/toy/teacher/seed1/model.safetensors",
    ]


def test_peers_are_those_a_variant_builds_on_transitively(toy):
    plan = Plan(toy)
    assert plan.peers("toy", "teacher") == []
    assert plan.peers("toy", "pupil") == ["student", "teacher"]
    assert plan.peers("toy", "pupil", "scenes") == ["student", "teacher"]


def test_an_encoder_that_is_read_brings_its_settings_and_weights(toy):
    toy["encoders"]["hub"] = {"loader": "timm", "model": "test_vit"}
    plan = Plan(toy)
    needs = Needs(weights=frozenset({"minilm"}), encoders=frozenset({"dinov2_s", "hub"}))
    assert plan.edges(needs, "toy", 0) == [
        "cache/weights/dinov2_s.json",
        "cache/weights/minilm.json",
        "state/settings/encoders/dinov2_s.json",
        "state/settings/encoders/hub.json",
    ]
    assert plan.blobs(needs, "toy", 0) == ["cache/weights/dinov2_s.safetensors", "cache/weights/minilm.safetensors"]


def test_only_what_is_timed_online_reads_its_encoder():
    plan = Plan(read_yaml(Path(__file__).parents[2] / "config.yaml"))
    assert plan.needs("edje", "edje", "efficiency").encoders == {"dinov2_s"}
    assert not plan.needs("edje", "compressed_8", "efficiency").encoders
    assert not plan.needs("edje", "edje", "scenes").encoders


def test_weights_of_the_hub_have_no_source(toy):
    toy["weights"]["hub"] = {"format": "transformers_bert", "model": "somebody/some-bert"}
    plan = Plan(toy)
    assert plan.weights_sources("hub") == []
    assert plan.archives(plan.weights_sources("hub")) == plan.pins(plan.weights_sources("hub")) == []
    assert plan.weights_sources("minilm") == ["minilm"]


def test_tokens_can_be_asked_for_besides_the_studies(toy):
    toy["tokens"] = {"efficientnet_lite0": ["names"]}
    assert Plan(toy).tokens == [("dinov2_s", "scenes"), ("efficientnet_lite0", "names")]


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        (
            {"a": {"kind": "toy", "widht": 4}},
            r'studies\.toy\.variants\.a\.widht: unknown setting; did you mean "width"',
        ),
        (
            {"a": {"kind": "toy", "dataset": "scene"}},
            r'studies\.toy\.variants\.a\.dataset: unknown data set "scene"; did you mean "scenes"',
        ),
        (
            {"a": {"kind": "toy", "dataset": "brown"}},
            r'studies\.toy\.variants\.a: needs images, which data set "brown" .* is not; name scenes or names or swaps or easy_vqa',
        ),
        (
            {"a": {"kind": "toy", "benchmarks": ["scnes"]}},
            r'variants\.a\.benchmarks: unknown benchmark "scnes"; did you mean "scenes"',
        ),
        (
            {"a": {"kind": "toy", "benchmarks": ["language"]}},
            r"variants\.a\.benchmarks: cannot be evaluated on language: kind toy has no ability",
        ),
        ({"a": {"kind": "toy", "teacher": "b"}}, r'variants\.a\.teacher: unknown variant "b"'),
        ({"a": {"kind": "toy", "teacher": "a"}}, r"variants\.a: builds on itself"),
        (
            {"a": {"kind": "toy", "teacher": "b", "seeds": [0, 7]}, "b": {"kind": "toy"}},
            r'variants\.a: builds on variant "b", which is not trained with seed 7',
        ),
    ],
)
def test_wrong_variants_are_told_before_the_dag_is_built(toy, variants, message):
    toy["studies"]["toy"]["variants"] = variants
    with pytest.raises(UserError, match=message):
        Plan(toy)


@pytest.mark.parametrize("name", ["+a", "a-b", "1a", "a b", "ä"])
def test_a_name_that_could_not_be_a_folder_is_told(toy, name):
    toy["studies"]["toy"]["variants"] = {name: {"kind": "toy"}}
    with pytest.raises(UserError, match=r'studies\.toy\.variants: ".*" cannot be a name; use letters, digits, "_" and'):
        Plan(toy)


def test_a_variant_is_named_for_what_it_combines(toy):
    toy["studies"]["toy"]["variants"] = {"dinov2_s+lite0": {"kind": "toy", "benchmarks": ["scenes"]}}
    plan = Plan(toy)
    assert plan.results("toy") == ["results/toy/dinov2_s+lite0/seed0/scenes.json"]


def test_unknown_study_is_told_with_a_suggestion(toy):
    toy["studies"] = {"edej": {"variants": {}}}
    with pytest.raises(UserError, match=r'studies\.edej: unknown study "edej"; did you mean "edje"\?'):
        Plan(toy)


def test_a_variant_without_seeds_is_left_to_another_size(toy):
    toy["studies"]["toy"]["variants"]["pupil"] |= {"seeds": [], "dataset": "names"}
    plan = Plan(toy)
    assert {job.variant for job in (*plan.trainings, *plan.evaluations)} == {"teacher", "student"}
    assert plan.tokens == [("dinov2_s", "scenes")]
    assert plan.datasets() == plan.datasets("toy") == ["scenes"]
    assert "pupil" in plan.studies["toy"].variants
    toy["studies"]["toy"]["variants"]["student"]["seeds"] = []
    toy["studies"]["toy"]["variants"]["pupil"]["seeds"] = [0]
    with pytest.raises(UserError, match=r'pupil.*: builds on variant "student", which is not trained with seed 0'):
        Plan(toy)


def test_missing_files_of_an_own_data_set_are_told(toy, tmp_path):
    toy["datasets"]["photos"] = {"kind": "folder", "path": str(tmp_path), "captions": "captions.csv"}
    toy["datasets"]["flickr"] = {
        "kind": "karpathy",
        "images": "i",
        "annotations": "a.json",
        "how_to_get": "ask its owners",
    }
    plan = Plan(toy)
    with pytest.raises(UserError, match=r"datasets\.photos\.captions: .*captions\.csv is missing"):
        plan.external("photos")
    with pytest.raises(UserError, match=r"datasets\.flickr\.annotations: a\.json is missing: ask its owners"):
        plan.external("flickr")
    together = plan.missing(["photos", "flickr"])
    assert [line.split(": ")[0] for line in together] == [
        "datasets.flickr.images", "datasets.flickr.annotations", "datasets.photos.captions",
    ]  # fmt: skip
    (tmp_path / "captions.csv").touch()
    assert plan.external("photos") == [str(tmp_path / "captions.csv")]
    assert plan.missing(["photos"]) == []


def test_settings_files_change_only_with_their_content(toy, tmp_path):
    layout = Layout(tmp_path / "work")
    write_settings_files(Plan(toy, layout))
    student, teacher = (layout.settings("toy", name) for name in ("student", "teacher"))
    assert json.loads(student.read_text())["width"] == 4
    assert student.stat().st_mtime == LONG_AGO, "a new file must not make anything run again"

    os.utime(student, (1e9, 1e9))
    toy["studies"]["toy"]["variants"]["teacher"]["width"] = 64
    toy["studies"]["toy"]["variants"]["student"]["benchmarks"] = []
    write_settings_files(Plan(toy, layout))
    assert student.stat().st_mtime == 1e9, "which benchmarks there are changes no training"
    assert teacher.stat().st_mtime > 1e9
    assert json.loads(teacher.read_text())["width"] == 64


def test_a_study_that_is_switched_off_asks_for_nothing(toy):
    """Variants that are all null leave no table and no report; one that trains without being evaluated leaves no report."""
    variants = toy["studies"]["toy"]["variants"]
    toy["studies"]["toy"]["variants"] = dict.fromkeys(variants)
    assert Plan(toy).study_targets() == []
    toy["studies"]["toy"]["variants"] = {"teacher": variants["teacher"]}
    targets = Plan(toy).study_targets("toy")
    assert [Path(target).name for target in targets] == ["manifest.json", "parameters.csv"]
