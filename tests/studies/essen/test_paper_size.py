"""The paper's and the lab's configurations: sizes against the published ones, and the recipe."""

from functools import cache
from pathlib import Path

import pytest

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.studies.essen.parameters import count_parameters

REPOSITORY = Path(__file__).parents[3]


@cache
def variants(size: str) -> dict:
    plan = Plan(load_config([REPOSITORY / f"config/{size}.yaml"], base=REPOSITORY / "config.yaml"))
    return plan.studies["essen"].variants


def parts(name: str) -> dict[str, int]:
    return dict(count_parameters(variants("paper")[name], {}))


HEADS = ("masked-word head", "matching head", "head")


@pytest.mark.parametrize(
    ("name", "millions"),
    [("captions_one", 33.5), ("captions_two", 33.8), ("captions_final", 39.0), ("captions_final_256", 32.5)],
)
def test_totals_are_the_published_ones_to_one_per_cent(name, millions):
    """Encoders without heads; of one tower also without the poolers, with which it has 33.84 M."""
    counted = {part: number for part, number in parts(name).items() if part not in HEADS}
    poolers = counted.pop("poolers") if name == "captions_one" else 0
    assert sum(counted.values()) / 1e6 == pytest.approx(millions, rel=0.01)
    assert poolers in (0, 2 * (448 * 448 + 448))


@pytest.mark.parametrize(
    ("name", "part", "number"),
    [
        ("captions_two", "cross-modal layers", 14_380_416),
        ("captions_two", "vision tower", 5_524_416),
        ("captions_two", "text tower", 13_483_008),
        ("captions_deit_tiny", "cross-modal layers", 11_059_200),
    ],
)
def test_parts_are_counted_to_the_last_parameter(name, part, number):
    assert parts(name)[part] == number


@pytest.mark.parametrize("name", [name for name in variants("paper") if name.startswith("snli_ve_")])
def test_every_tower_is_built_at_its_size(name):
    assert sum(parts(name).values()) > 1e7


def test_every_shape_of_the_third_experiment_is_there():
    shapes = {(v.model.fusion.width, v.model.fusion.hidden, v.model.fusion.layers)
              for n, v in variants("paper").items() if n.startswith("captions_") and v.model.form == "two_tower"}  # fmt: skip
    assert shapes >= {
        (256, 512, 18), (256, 1024, 4), (256, 1024, 6), (256, 1024, 8), (256, 1024, 10), (192, 768, 6), (192, 768, 12),
        (320, 1280, 6), (320, 1280, 8), (292, 1168, 6),
    }  # fmt: skip


def test_the_recipe_is_the_platforms():
    one, final = variants("paper")["captions_one"], variants("paper")["snli_ve_final"]
    optimiser = one.optimiser
    assert (optimiser.batch, optimiser.steps, optimiser.lr, optimiser.betas) == (704, 100_000, 1e-4, (0.9, 0.98))
    assert (optimiser.weight_decay, optimiser.warmup, optimiser.schedule) == (0.01, 0.1, "linear")
    for variant in variants("paper").values():
        if hasattr(variant, "optimiser"):
            assert variant.optimiser.group_lr == pytest.approx(
                dict.fromkeys(("head", "fusion"), 5 * variant.optimiser.lr)
            )
    assert (one.objectives.mask, one.objectives.mask_rate, one.objectives.matching) == ("words", 0.15, 1.0)
    assert (final.optimiser.lr, final.optimiser.batch, final.pixels.fit.image_size) == (1e-3, 64, 384)
    assert {n: v.pixels.fit.image_size for n, v in variants("paper").items() if n in ("nlvr2_two", "refcoco_two")} == {
        "nlvr2_two": 288,
        "refcoco_two": 224,
    }


def test_the_lab_trains_longer_over_all_seeds():
    lab = variants("lab")
    for name in ("one_tower", "two_tower_cnn", "one_tower_eighth", "two_tower_cnn_eighth"):
        assert (lab[name].optimiser.steps, lab[name].seeds) == (6000, None)
    assert lab["pairs"].image_pair
    assert lab["entail"].start == "captions"
