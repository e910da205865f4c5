"""Scenes: captions, tags, layout, splits, determinism."""

import io
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from compactvl.data.audit import audit_splits
from compactvl.data.brown_tags import UNIVERSAL
from compactvl.data.captions import Captioner
from compactvl.data.concepts import CORE, Concept
from compactvl.data.inflection import plural
from compactvl.data.kinds.scenes import Settings
from compactvl.data.scene import Group, Relation, Scene, exchange, scene_from_meta
from compactvl.data.scenes import Sampler, draw_splits
from compactvl.errors import UserError

SETTINGS = Settings(kind="scenes")
CONCEPTS = {name: Concept(name, plural(name), "0") for name in CORE}
NUMBER = {"a": 1, "an": 1, "one": 1, "single": 1, "two": 2, "pair": 2, "three": 3, "four": 4}
SIZES = {"big": "big", "large": "big", "small": "small", "little": "small"}
FORWARD = {"left": True, "right": False, "above": True, "over": True, "higher": True}


def read_caption(caption: str) -> tuple[Counter, dict, tuple | None]:
    """Parse a caption on its own terms: counts and sizes of nouns, and (first, second, axis) of a relation."""
    singular = {p: c.name for c in CONCEPTS.values() for p in (c.name, c.plural)}
    counts, sizes, order, pending, size = Counter(), {}, [], None, None
    words = caption.split()
    for word in words:
        if word in NUMBER:
            pending = NUMBER[word]
        elif word in SIZES:
            size = SIZES[word]
        elif word in singular and pending is not None:
            counts[singular[word]] += pending
            if size:
                sizes[singular[word]] = size
            order.append(singular[word])
            pending = size = None
    return counts, sizes, order


def drawn_scenes(number: int) -> list:
    sampler = Sampler(SETTINGS, list(CORE), np.random.default_rng(5))
    found = []
    while len(found) < number:
        scene = sampler.draw()
        if cells := sampler.place(scene):
            found.append((scene, cells))
    return found


def test_relation_is_true_of_the_boxes_and_nothing_overlaps():
    for scene, cells in drawn_scenes(300):
        flat = [(x, y, x + side, y + side) for group in cells for x, y, side in group]
        for i, a in enumerate(flat):
            assert min(a) >= 0
            assert max(a) <= SETTINGS.image_size
            for b in flat[i + 1 :]:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        if scene.relation is not None:
            axis = 0 if scene.relation.kind == "left_right" else 1
            ends = [
                [(cell[axis], cell[axis] + cell[2]) for cell in cells[i]]
                for i in (scene.relation.first, scene.relation.second)
            ]
            assert max(end for _, end in ends[0]) < min(start for start, _ in ends[1])


def test_every_word_has_a_tag_and_captions_state_objects_and_counts():
    captioner = Captioner(CONCEPTS, np.random.default_rng(3))
    relations = sized = 0
    for scene, _ in drawn_scenes(300):
        captions = captioner.captions(scene, 5)
        assert len({caption.text for caption in captions}) == 5
        expected = Counter({group.concept: group.count for group in scene.groups})
        for caption, tags, _ in captions:
            assert caption == caption.lower()
            assert len(caption.split()) == len(tags.split())
            assert set(tags.split()) <= {*UNIVERSAL} - {"X"}
            counts, sizes, _ = read_caption(caption)
            assert counts == expected, caption
            assert all(sizes[g.concept] == g.size for g in scene.groups if g.concept in sizes)
            sized += bool(sizes)
            nouns = [w for w, t in zip(caption.split(), tags.split(), strict=True) if t == "NOUN"]
            assert all(
                any(c in nouns for c in (CONCEPTS[g.concept].name, CONCEPTS[g.concept].plural)) for g in scene.groups
            )
        relations += scene.relation is not None
    assert relations > 100
    assert sized > 100


def test_relation_captions_say_what_the_scene_shows():
    captioner = Captioner(CONCEPTS, np.random.default_rng(4))
    for kind, sides in {"left_right": ("left", "right"), "above_below": ("top", "bottom")}.items():
        scene = Scene((Group("dog", 1), Group("apple", 2)), Relation(kind, 0, 1))
        forms = set()
        for _ in range(30):
            for caption, _tags, exchanged in captioner.captions(scene, 5, tell="relation"):
                assert first_named(caption, sides) == "dog", caption
                assert first_named(exchanged, sides) == "apple", exchanged
                forms.add(" ".join(w for w in caption.split() if w not in {"dog", "apples"}))
        assert len(forms) > 15


def first_named(caption: str, sides: tuple[str, str]) -> str:
    """Which object a caption of two says is left of (above) the other."""
    words, (_, _, order) = caption.split(), read_caption(caption)
    if all(side in words for side in sides):
        forward = words.index(sides[0]) < words.index(sides[1])
    else:
        forward = any(FORWARD.get(word, False) for word in words)
    return order[0] if forward else order[1]


def test_an_exchanged_caption_exchanges_one_thing_that_its_caption_states():
    captioner = Captioner(CONCEPTS, np.random.default_rng(6))
    exchanged_things = Counter()
    for scene, _ in drawn_scenes(300):
        relation = scene.relation is not None
        for caption, _tags, exchanged in captioner.captions(scene, 5):
            before = read_caption(caption)
            counts_differ = len({group.count for group in scene.groups[:2]}) > 1
            if not exchanged:
                assert not counts_differ, caption
                continue
            counts, sizes, order = read_caption(exchanged)
            differ = {"count": counts != before[0], "size": sizes != before[1], "order": order != before[2]}
            assert sum(differ.values()) == 1, (caption, exchanged)
            what = next(thing for thing, differs in differ.items() if differs)
            assert relation or what != "order"
            assert sorted(counts.values()) == sorted(before[0].values())
            assert sorted(map(str, sizes.values())) == sorted(map(str, before[1].values()))
            exchanged_things[what] += 1
    assert min(exchanged_things[what] for what in ("count", "size", "order")) > 50


def test_twins_exchange_one_thing_and_keep_the_rest():
    scene = Scene((Group("dog", 2, "big", "noto"), Group("apple", 1, "small", "noto")), Relation("left_right", 0, 1))
    assert exchange(scene, "left_right").content.endswith("left_right: apple > dog")
    assert exchange(scene, "above_below") is None
    assert exchange(scene, "count").gist == "1 dog | 2 apple"
    assert [g.size for g in exchange(scene, "size").groups] == ["small", "big"]
    assert exchange(exchange(scene, "size"), "size") == scene
    assert exchange(Scene((Group("dog", 1),)), "count") is None
    assert scene_from_meta(scene.meta([[], []])) == scene


def test_splits_share_no_gist_and_held_out_pairs_are_only_tested():
    settings = SETTINGS.model_copy(
        update={"images": SETTINGS.images.model_copy(update={"train": 600, "val": 100, "test": 100})}
    )
    splits, held_out = draw_splits(settings, list(CORE))
    gists = {split: Counter(placed.scene.gist for placed in scenes) for split, scenes in splits.items()}
    assert {split: len(scenes) for split, scenes in splits.items()} == {"train": 600, "val": 100, "test": 100}
    assert not gists["train"].keys() & (gists["val"].keys() | gists["test"].keys())
    assert not gists["val"].keys() & gists["test"].keys()
    assert len(held_out) == round(0.1 * 60 * 59 / 2)
    met = {split: {p for placed in scenes for p in placed.scene.pairs} for split, scenes in splits.items()}
    assert not met["train"] & held_out
    assert met["test"] & held_out
    for split in ("val", "test"):
        twins = [placed for placed in splits[split] if placed.twin]
        assert len(twins) == 10
        alone = Counter(placed.scene.gist for placed in splits[split] if not placed.twin)
        assert max(alone.values()) == 1


def test_curated_set_has_no_leak_and_a_planted_one_is_found(scenes):
    facts = audit_splits("scenes", scenes.images, scenes.items)
    assert facts["content"] == len(scenes)
    test_row = scenes.images.index[scenes.images["split"] == "test"][0]
    train_row = scenes.images.index[scenes.images["split"] == "train"][0]
    for column, what in (("sha256", "image"), ("meta", "content")):
        planted = scenes.images.copy()
        planted.loc[test_row, column] = planted.loc[train_row, column]
        with pytest.raises(UserError, match=f"leaks: 1 times the same {what} in two splits.*test and train"):
            audit_splits("scenes", planted, scenes.items)
    planted = scenes.items.copy()
    first = planted.index[planted["split"] == "test"][0]
    planted.loc[first, "caption"] = planted["caption"][0]
    with pytest.raises(UserError, match="same caption in two splits"):
        audit_splits("scenes", scenes.images, planted)
    planted = scenes.items.copy()
    planted.loc[first, "split"] = "train"
    with pytest.raises(UserError, match="another split than its image"):
        audit_splits("scenes", scenes.images, planted)


def test_images_show_their_boxes(scenes):
    for image_id in scenes.images["image_id"][:40]:
        image = Image.open(io.BytesIO(scenes.image_bytes(image_id)))
        assert image.size == (112, 112)
        assert image.mode == "RGB"
        meta = json.loads(scenes.images.set_index("image_id").loc[image_id, "meta"])
        background = np.array([int(meta["background"][i : i + 2], 16) for i in (1, 3, 5)])
        differs = (np.asarray(image).astype(int) != background).any(axis=2)
        covered = np.zeros_like(differs)
        for thing in meta["objects"]:
            assert len(thing["boxes"]) == thing["count"]
            for box in thing["boxes"]:
                x0, y0, x1, y1 = (round(v * 112) for v in box)
                covered[y0:y1, x0:x1] = True
                assert differs[y0:y1, x0:x1].mean() > 0.05
        assert not differs[~covered].any()


def test_sizes_differ_plainly(scenes):
    sides = {"big": [], "small": [], None: []}
    for meta in scenes.images["meta"]:
        for thing in json.loads(meta)["objects"]:
            sides[thing["size"]] += [max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in thing["boxes"]]
    assert max(sides["small"]) < min(sides[None])
    assert max(sides[None]) < min(sides["big"])
    assert min(sides["big"]) > 1.7 * max(sides["small"])


def test_same_seed_same_bytes_other_seed_other_scenes(make_set, scenes, tmp_path):
    settings = {"kind": "scenes", "concepts": 16, "images": {"train": 240, "val": 60, "test": 60}}
    again = make_set(tmp_path, "scenes", settings)
    for file in ("manifest.json", "items.parquet", "images-00000.parquet"):
        assert (again.folder / file).read_bytes() == (scenes.folder / file).read_bytes()
    other = make_set(tmp_path, "other", settings | {"seed": 1})
    assert set(other.images["sha256"]).isdisjoint(scenes.images["sha256"])


def test_too_many_scenes_is_one_clear_line():
    settings = Settings(kind="scenes", images={"train": 10, "val": 10, "test": 2000})
    with pytest.raises(UserError, match=r"only \d+ of 2000 different test scenes found with 4 concepts"):
        draw_splits(settings, ["dog", "cat", "cow", "pig"])
