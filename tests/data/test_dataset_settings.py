"""Settings of data sets: each bad value gives its message."""

import pytest
from pydantic import TypeAdapter, ValidationError

from compactvl.config.datasets import DatasetSettings

ADAPTER = TypeAdapter(DatasetSettings)


@pytest.mark.parametrize("kind", ["scenes", "names", "swaps"])
def test_defaults_are_complete(kind):
    assert ADAPTER.validate_python({"kind": kind}).kind == kind


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"kind": "pictures"}, "does not match any of the expected tags"),
        ({"kind": "scenes", "twin_fraction": 0.5}, "less than or equal to 0.2"),
        ({"kind": "scenes", "kinds_weights": [0, 0, 0]}, "not all 0"),
        ({"kind": "scenes", "styles": ["noto", "noto"]}, "the same source twice"),
        ({"kind": "scenes", "images": {"train": 0}}, "greater than or equal to 1"),
        ({"kind": "names", "test_style": "comic"}, "test_style 'comic' is not one of styles"),
        ({"kind": "names", "test_style": "fluent"}, "must differ"),
        ({"kind": "swaps", "kinds": ["colour"]}, "Input should be 'left_right'"),
        ({"kind": "folder", "path": "x"}, "exactly one of captions"),
        ({"kind": "folder", "path": "x", "captions": "a", "karpathy": "b"}, "exactly one of captions"),
        ({"kind": "folder", "path": "x", "captions": "a", "ratios": {"train": 0.5}}, "must be 1, not 0.7"),
        ({"kind": "karpathy", "images": "x"}, "Field required"),
    ],
)
def test_bad_values(body, message):
    with pytest.raises(ValidationError, match=message):
        ADAPTER.validate_python(body)


def test_every_field_is_described():
    schema = ADAPTER.json_schema()
    for name, model in schema["$defs"].items():
        for field, body in model["properties"].items():
            assert body.get("description"), f"{name}.{field}"
