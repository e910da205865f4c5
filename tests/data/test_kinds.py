"""Kinds of data set: what each says of itself, its settings' messages, and that one more is one more file."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from curating import settings_of

import compactvl
from compactvl.config.kinds import DATA_KINDS, find_kind, kind_names
from compactvl.config.overlay import load_config
from compactvl.errors import UserError

REPOSITORY = Path(__file__).parents[2]
PACKAGE = Path(compactvl.__file__).parent
NEW_KIND = """
from typing import Annotated, Literal
from compactvl.config.references import Ref
from compactvl.data.kind import DataKind

class Settings(DataKind):
    holds = frozenset({"texts"})
    kind: Literal["shouted"]
    of: Annotated[str, Ref("datasets", "texts")] = "brown"

    def curate(self, job):
        items = job.open_set(self.of, "of", "brown").items
        job.write(self, items.assign(text=items["text"].str.upper()), text_only=True)
"""
PLAN = """
import json, sys
from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.dag.stages import code_digest, curate_modules, training_modules
config = load_config()
if len(sys.argv) > 1:
    config["datasets"]["shouted"] = {"kind": "shouted"}
plan = Plan(config)
heavy = sorted({"numpy", "pandas", "pyarrow", "torch", "timm", "transformers", "PIL"} & set(sys.modules))
curated = {
    name: [code_digest(curate_modules(kind.kind)), [*kind.sets]] for name, kind in plan.root.datasets.items()
}
jobs = {
    f"{job.study}/{job.variant}": code_digest(training_modules(plan.variant(job.study, job.variant)))
    for job in plan.trainings
}
print(json.dumps({"heavy": heavy, "curated": curated, "trained": jobs}))
"""


@pytest.mark.parametrize("name", kind_names(DATA_KINDS))
def test_a_kind_says_what_it_holds_and_describes_its_settings(name):
    kind = find_kind(DATA_KINDS, name)
    assert kind.holds
    assert kind.model_fields["kind"].annotation.__args__ == (name,)
    schema = kind.model_json_schema()
    for model in (schema, *schema.get("$defs", {}).values()):
        for field, body in model["properties"].items():
            assert body.get("description"), f"{model['title']}.{field}"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("scenes", ["noto", "twemoji", "fluent", "openmoji", "emojibase"]),
        ("names", ["noto", "twemoji", "fluent", "openmoji", "emojibase"]),
        ("swaps", ["scenes"]),
        ("scene_ewok", ["scenes"]),
        ("brown", ["brown"]),
        ("brown_pairs", ["brown"]),
    ],
)
def test_defaults_are_complete_and_name_what_they_are_made_from(kind, names):
    settings = settings_of("x", {"kind": kind})
    assert settings.sources + settings.sets == names
    assert settings.own_files() == []
    assert settings.own_folder() is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"kind": "scenes", "twin_fraction": 0.5}, r"^datasets\.x\.twin_fraction: .*less than or equal to 0.2"),
        ({"kind": "scenes", "kinds_weights": [0, 0, 0]}, "not all 0"),
        ({"kind": "scenes", "styles": ["noto", "noto"]}, "the same source twice"),
        ({"kind": "scenes", "images": {"train": 0}}, r"images\.train: .*greater than or equal to 1"),
        ({"kind": "names", "test_style": "comic"}, "test_style 'comic' is not one of styles"),
        ({"kind": "names", "test_style": "fluent"}, "must differ"),
        ({"kind": "swaps", "kinds": ["colour"]}, r"kinds\.0: input should be 'left_right'"),
        ({"kind": "folder", "path": "x"}, "exactly one of captions"),
        ({"kind": "folder", "path": "x", "captions": "a", "karpathy": "b"}, "exactly one of captions"),
        ({"kind": "folder", "path": "x", "captions": "a", "ratios": {"train": 0.5}}, "must be 1, not 0.7"),
        ({"kind": "karpathy", "images": "x"}, r"annotations: field required"),
    ],
)
def test_bad_values(body, message):
    with pytest.raises(UserError, match=message):
        settings_of("x", body)


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """What the plan of the demo says, here and in a copy of the package with one more kind."""
    root = tmp_path_factory.mktemp("copy")
    copy = root / "workflow" / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "envs", root / "envs")
    (copy / "data" / "kinds" / "shouted.py").write_text(NEW_KIND)

    def plan(folder, *arguments):
        command = [sys.executable, "-c", PLAN, *arguments]
        environment = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        return json.loads(
            subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True).stdout
        )

    return plan(PACKAGE.parent), plan(copy.parent, "with the new kind")


def test_one_more_kind_is_one_more_file_and_changes_no_other_job(plans):
    before, after = plans
    digest, sets = after["curated"].pop("shouted")
    assert sets == ["brown"]
    assert digest not in {other for other, _ in after["curated"].values()}
    assert after == before
    kinds = {one["kind"] for one in load_config([], REPOSITORY / "config.yaml")["datasets"].values()}
    assert len({digest for digest, _ in before["curated"].values()}) == len(kinds)


def test_planning_imports_nothing_that_computes(plans):
    assert plans[0]["heavy"] == []
