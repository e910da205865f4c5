"""The data sets names and swaps."""

import json
from collections import Counter

import pytest

from compactvl.data.scene import scene_from_meta
from compactvl.errors import UserError


@pytest.fixture(scope="module")
def names(make_set, root):
    return make_set(root, "names", {"kind": "names", "concepts": 40, "renders": 2})


@pytest.fixture(scope="module")
def swaps(make_set, root, scenes):
    return make_set(root, "swaps", {"kind": "swaps", "pairs": 22})


def test_names_test_in_a_style_never_trained_on(names):
    style = names.items.groupby("split")["style"].agg(set)
    assert style["test"] == {"openmoji"}
    assert style["val"] == {"fluent"}
    assert "openmoji" not in style["train"]
    gallery = names.images[names.images["split"] == "test"]
    assert len(gallery) == 40
    assert set(names.split("test")["concept"]) == set(names.split("train")["concept"])
    assert len(names.images[names.images["split"] == "val"]) == 10


def test_names_captions_belong_to_one_concept(names):
    owners = names.items.groupby("caption")["concept"].nunique()
    assert owners.max() == 1
    own = names.items[names.items["source"] == "name"]
    assert (own["caption_de"] != "").all()
    assert own.set_index("concept").loc["dog", "caption_de"].iloc[0] == "Hund"
    assert (names.items[names.items["source"] == "tag"]["caption_ja"] == "").all()
    assert names.items.groupby("image_id")["item_id"].count().max() <= 4


def test_names_wrong_language_is_one_clear_line(make_set, tmp_path):
    with pytest.raises(UserError, match="has no file package/tlh/data"):
        make_set(tmp_path, "names", {"kind": "names", "concepts": 8, "languages": ["tlh"]})


def test_swaps_have_the_same_words_and_differ_in_one_thing(swaps):
    metas = dict(zip(swaps.images["image_id"], swaps.images["meta"], strict=True))
    assert Counter(swaps.items["kind"]) == {"left_right": 6, "above_below": 6, "count": 5, "size": 5}
    for row in swaps.items.itertuples():
        assert Counter(row.caption_0.split()) == Counter(row.caption_1.split())
        assert row.caption_0 != row.caption_1
        assert len(row.pos_0.split()) == len(row.caption_0.split())
        first, second = (scene_from_meta(metas[i]) for i in (row.image_0, row.image_1))
        assert first.content != second.content
        assert first.background == second.background
        assert [g.style for g in first.groups] == [g.style for g in second.groups]
        if row.kind in ("left_right", "above_below"):
            named = [
                row.caption_0.index(first.groups[i].concept[:3]) for i in (first.relation.first, first.relation.second)
            ]
            assert named == sorted(named)


def test_swaps_show_nothing_that_was_trained_on(swaps, scenes):
    seen = scenes.images[scenes.images["split"] != "test"]["meta"]
    gists = {scene_from_meta(meta).gist for meta in seen}
    contents = {json.loads(meta)["content"] for meta in seen}
    own = [scene_from_meta(meta) for meta in swaps.images["meta"]]
    assert not gists & {scene.gist for scene in own}
    assert not contents & {scene.content for scene in own}
    assert set(swaps.images["sha256"]).isdisjoint(scenes.images["sha256"])


def test_swaps_need_a_scenes_set(make_set, root, names):
    with pytest.raises(UserError, match="'names' is not a data set of kind scenes"):
        make_set(root, "wrong", {"kind": "swaps", "scenes": "names"})
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        make_set(root, "wrong", {"kind": "swaps", "scenes": "nowhere"})
