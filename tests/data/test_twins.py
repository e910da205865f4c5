"""Twins are found again among the images of a data set."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from compactvl.data.concepts import CORE
from compactvl.data.kinds.scenes import Settings
from compactvl.data.scenes import draw_splits
from compactvl.data.twins import exchanged_captions, twins
from compactvl.errors import UserError


def dataset(scenes):
    metas = [scene.meta([[[0, 0, 1, 1]] * group.count for group in scene.groups]) for scene in scenes]
    images = pd.DataFrame({"image_id": [f"i{n}" for n in range(len(scenes))], "meta": metas})
    return SimpleNamespace(name="drawn", images=images)


@pytest.fixture(scope="module")
def placed():
    settings = Settings(kind="scenes", images={"train": 400, "val": 20, "test": 20}, twin_fraction=0.2)
    return draw_splits(settings, list(CORE))[0]["train"]


def test_couples_differ_in_what_was_exchanged_alone(placed):
    drawn = dataset([one.scene for one in placed])
    found = twins(drawn, drawn.images["image_id"].tolist())
    members = np.array([one.twin is not None for one in placed])
    assert (found[members] >= 0).all(), "all that were drawn as twins"
    assert members.sum() == 80
    for one, other in enumerate(found):
        if other < 0:
            continue
        assert found[other] == one
        a, b = (json.loads(drawn.images["meta"][i]) for i in (one, other))
        assert a["content"] != b["content"]
        for part in ("concept", "count", "size"):
            assert sorted(map(str, (o[part] for o in a["objects"]))) == sorted(
                map(str, (o[part] for o in b["objects"]))
            )
    # In another order of the images, the same couples.
    order = np.random.default_rng(0).permutation(len(placed))
    again = twins(drawn, drawn.images["image_id"].iloc[order].tolist())
    for place, number in enumerate(order):
        assert (order[again[place]] if again[place] >= 0 else -1) == found[number]


def test_a_data_set_without_twins_is_refused(placed):
    alone = dataset([one.scene for one in placed if one.twin is None][:3])
    with pytest.raises(UserError, match=r"data set drawn has no twins.*set `negatives.twins` to 0"):
        twins(alone, ["i0", "i1", "i2"])
    photos = SimpleNamespace(name="photos", images=pd.DataFrame({"image_id": ["a"]}))
    with pytest.raises(UserError, match="photos has no twins"):
        twins(photos, ["a"])


def test_exchanged_captions_are_those_of_the_split_in_its_order():
    items = pd.DataFrame({"split": ["train", "test", "train"], "exchanged": ["b", "x", ""]})
    assert exchanged_captions(SimpleNamespace(name="drawn", items=items), "train") == ["b", ""]
    with pytest.raises(UserError, match=r"photos has no exchanged captions: set `negatives.exchanged` to 0"):
        exchanged_captions(SimpleNamespace(name="photos", items=items[["split"]]), "train")
