import pytest

from compactvl.config.overlay import expand_bases, load_config, merge, read_yaml, without_null
from compactvl.errors import UserError


def test_merge_lays_mappings_over_each_other_and_replaces_the_rest():
    below = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": 1}}
    above = {"a": {"y": [3]}, "b": {"new": 1}, "c": None}
    assert merge(below, above) == {"a": {"x": 1, "y": [3]}, "b": {"new": 1}, "c": None}
    assert below["a"]["y"] == [1, 2]


def test_merge_is_what_snakemake_does():
    from snakemake.utils import update_config

    below = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": {"deep": 1}}}
    above = {"a": {"y": [3]}, "b": {"new": {"k": 1}}, "c": {"z": {"other": None}}, "d": 4}
    theirs = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": {"deep": 1}}}
    update_config(theirs, above)
    assert merge(below, above) == theirs


def test_load_config_lays_files_in_order(tmp_path):
    for name, text in {"base": "seeds: [0]\nsize: demo", "one": "size: one", "two": "seeds: [1, 2]"}.items():
        (tmp_path / name).write_text(text)
    config = load_config([tmp_path / "one", tmp_path / "two"], base=tmp_path / "base")
    assert config == {"seeds": [1, 2], "size": "one"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", r"bad\.yaml:1:6: "),
        ("a: 1\na: 2", r"bad\.yaml:2:1: key 'a' is given twice"),
        ("a: 1\nratio: [3:4, 1]", r"bad\.yaml:2:9: 3:4 is another number in YAML \(base 8 or 60\); write it plainly"),
        ("batch: 010", r"bad\.yaml:1:8: 010 is another number"),
        ("- 1", "expected settings as `key: value`, found list"),
    ],
)
def test_bad_yaml_is_told_with_its_place(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_yaml(path)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: No such file"):
        read_yaml(tmp_path / "none.yaml")


def test_without_null_drops_what_an_overlay_switched_off():
    assert without_null({"a": 1, "b": None}) == {"a": 1}
    assert without_null([1]) == [1]


def test_bases_merge_recursively():
    variants = {
        "small": {"base": "middle", "optimiser": {"steps": 1}},
        "middle": {"base": "large", "width": 2},
        "large": {"width": 3, "optimiser": {"steps": 100, "lr": 1}},
    }
    expanded = expand_bases(variants, "v")
    assert expanded["small"] == {"width": 2, "optimiser": {"steps": 1, "lr": 1}}
    assert list(expanded) == ["small", "middle", "large"]
    assert variants["small"]["base"] == "middle"


def test_null_switches_a_variant_off():
    assert expand_bases({"a": {"x": 1}, "b": None}, "v") == {"a": {"x": 1}}


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        (
            {"a": {"base": "retreiver"}, "retriever": {}},
            r'v\.a\.base: unknown variant "retreiver"; did you mean "retriever"\?',
        ),
        ({"a": {"base": "b"}, "b": {"base": "a"}}, r"v\.a\.base: bases form a circle: a -> b -> a"),
        ({"a": {"base": "a"}}, "circle: a -> a"),
        ({"a": {"base": "b"}, "b": None}, r'v\.a\.base: variant "b" is switched off'),
        ({"a": {"base": ["b"]}, "b": {}}, r"v\.a\.base: unknown variant \"\['b'\]\""),
        ({"a": 3}, r"v\.a: expected settings as `key: value` or null, found 3"),
    ],
)
def test_bad_bases_are_told_with_their_place(variants, message):
    with pytest.raises(UserError, match=message):
        expand_bases(variants, "v")
