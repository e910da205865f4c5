"""A pool of encoders becomes a variant for every subset."""

import pytest

from compactvl.config.base import validate
from compactvl.errors import UserError
from compactvl.studies.encoder_roles.section import Section

SUBSET = {"optimiser": {"steps": 5}, "benchmarks": ["roles"]}


def expand(pool, variants=None, **more):
    body = {"pool": pool, "subset": SUBSET, "variants": variants or {}, **more}
    return validate(Section, body, "s").expand("s.variants")


def test_every_subset_once_and_the_blind_model():
    made = expand({"a": 3, "b": 4, "c": 5})
    assert list(made) == ["blind", "a", "b", "c", "a+b", "a+c", "b+c", "a+b+c"]
    assert made["a+c"] == {"kind": "subset", **SUBSET, "encoders": {"a": 3, "c": 5}}
    assert made["blind"]["encoders"] == {}


def test_another_encoder_adds_variants_and_changes_none():
    before, after = expand({"a": 3, "b": 4}), expand({"a": 3, "b": 4, "c": 5})
    assert {name: after[name] for name in before} == before
    assert len(after) == 2 * len(before)
    assert expand({"a": 3, "b": 4, "c": None}) == before


def test_the_whole_pool_is_also_masked():
    made = expand({"a": 3, "b": 4}, pool_benchmarks=["masking"])
    assert made["a+b"]["benchmarks"] == ["roles", "masking"]
    assert made["a"]["benchmarks"] == ["roles"]


def test_a_section_changes_a_subset_and_adds_variants():
    made = expand({"a": 3, "b": 4}, {"a+b": {"optimiser": {"steps": 9}}, "a": None, "raw": {"base": "b", "grid": 2}})
    assert made["a+b"]["optimiser"] == {"steps": 9}
    assert "a" not in made
    assert made["raw"]["encoders"] == {"b": 4}
    assert made["raw"]["grid"] == 2


@pytest.mark.parametrize("number", [1, 9])
def test_a_pool_has_two_to_eight_encoders(number):
    with pytest.raises(UserError, match=f"pool: {number} encoders; give 2 to 8"):
        expand({f"e{i}": 3 for i in range(number)})


def test_no_pool_is_no_variants():
    assert expand({}) == {}


def test_the_order_in_which_an_overlay_leaves_the_pool_is_nothing():
    made = expand({"c": 5, "a": 3, "b": 4})
    assert made == expand({"a": 3, "b": 4, "c": 5})
    assert list(made) == list(expand({"a": 3, "b": 4, "c": 5}))
    assert expand({"a": None, "b": None}) == {}
