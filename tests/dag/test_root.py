import re
from pathlib import Path

import pytest

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.dag.root import validate_root
from compactvl.errors import UserError

REPOSITORY = Path(__file__).parents[2]
OVERLAYS = [[], ["config/smoke.yaml"], ["config/lab.yaml"], ["config/paper.yaml"]]


def place(config, path, value):
    *parents, last = path.split(".")
    for key in parents:
        config = config.setdefault(key, {})
    config[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sise", "demo", r'^sise: unknown setting; did you mean "size"\?$'),
        ("seeds", [], "^seeds: .*at least 1"),
        ("seeds", ["one"], "^seeds.0: .*integer.*given: 'one'"),
        ("sources.noto.sha256", "abc", "^sources.noto.sha256: .*pattern"),
        ("sources.noto.licens", "MIT", 'sources.noto.licens: unknown setting; did you mean "licence"'),
        ("weights.minilm.source", "minlm", 'weights.minilm.source: unknown source "minlm"; did you mean "minilm"'),
        ("encoders.dinov2_s.weights", "dino", 'encoders.dinov2_s.weights: unknown weights "dino"; did you mean'),
        (
            "text_encoders.minilm.weights",
            "x",
            'text_encoders.minilm.weights: unknown weights "x"; known: craft, dinov2_s',
        ),
        (
            "benchmarks.scenes.dataset",
            "scene",
            'benchmarks.scenes.dataset: unknown data set "scene"; did you mean "scenes"',
        ),
        ("tokens", {"dino": ["scenes"]}, 'tokens.dino: unknown encoder "dino"'),
        ("tokens", {"dinov2_s": ["photos"]}, 'tokens.dinov2_s: unknown data set "photos"'),
        (
            "datasets.my-photos",
            {"kind": "folder", "path": "p", "captions": "c.csv"},
            'datasets: "my-photos" cannot be a name',
        ),
        ("datasets.a+b", {"kind": "scenes"}, 'datasets: "a\\+b" cannot be a name; use letters, digits and underscores'),
        ("datasets.swaps.scenes", "swap", r'^datasets\.swaps\.scenes: unknown data set "swap"; did you mean "swaps"'),
        (
            "datasets.swaps.scenes",
            "swaps",
            r'swaps\.scenes: needs scenes, which data set "swaps" \(.*\) is not; name sce',
        ),
        (
            "benchmarks.language.tasks.winoground.dataset",
            "scene_vqa",
            r"^benchmarks\.language\.tasks\.winoground\.dataset: needs caption choice, .*; name swaps$",
        ),
        ("benchmarks.gates.probe", "scene_vqa", r"^benchmarks\.gates\.probe: needs probe, .*; name scene_probe$"),
    ],
)
def test_a_wrong_setting_is_told_with_its_place(config, path, value, message):
    place(config, path, value)
    with pytest.raises(UserError, match=message):
        validate_root(config)


def test_every_problem_of_a_kind_is_told_at_once(config):
    place(config, "weights.minilm.source", "a")
    place(config, "benchmarks.scenes.dataset", "b")
    with pytest.raises(UserError) as caught:
        validate_root(config)
    assert len(str(caught.value).splitlines()) == 2


def test_null_switches_an_entry_off(config):
    place(config, "encoders.efficientnet_lite0", None)
    assert "efficientnet_lite0" not in validate_root(config).encoders


@pytest.mark.parametrize("overlays", OVERLAYS)
def test_shipped_configurations_are_valid(overlays):
    config = load_config([REPOSITORY / path for path in overlays], base=REPOSITORY / "config.yaml")
    assert validate_root(config).seeds


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL))
def test_the_settings_that_the_readme_proposes_are_valid(example, tmp_path):
    (tmp_path / "example.yaml").write_text(example)
    Plan(load_config([tmp_path / "example.yaml"], base=REPOSITORY / "config.yaml"))
