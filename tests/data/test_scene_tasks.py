"""Language tasks made of scenes: EWoK's format, ranked answers, the probe."""

import itertools
import json
import zlib
from collections import Counter
from collections.abc import Iterator

import pytest
from curating import make

from compactvl.data.canonical import CanonicalSet
from compactvl.data.draws import share
from compactvl.data.inflection import article, plural
from compactvl.data.scene import Group, Relation, Scene, scene_from_meta
from compactvl.data.scene_ewok import DOMAINS
from compactvl.data.scene_probe import TYPES
from compactvl.errors import UserError

SIZES = {"val": 12, "test": 16}
PROBE_SIZES = {"val": 40, "test": 60}
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
MADE = {
    "ewok": {"kind": "scene_ewok", "items": SIZES},
    "vqa": {"kind": "scene_vqa", "questions": SIZES},
    "probe": {"kind": "scene_probe", "items": PROBE_SIZES},
}


@pytest.fixture(scope="module")
def tasks(scenes, root) -> dict[str, CanonicalSet]:
    return {name: make(root, name, settings) for name, settings in MADE.items()}


@pytest.fixture(scope="module")
def metas(scenes) -> dict[str, dict]:
    return {row.image_id: json.loads(row.meta) for row in scenes.images.itertuples()}


@pytest.mark.parametrize("name", MADE)
def test_items_are_of_held_out_scenes_and_of_the_seed(tasks, scenes, root, name):
    items = tasks[name].items
    splits = dict(zip(scenes.images["image_id"], scenes.images["split"], strict=True))
    assert set(items["split"]) == {"val", "test"}
    if "image_id" in items:
        assert (items["image_id"].map(splits) == items["split"]).all()
        assert tasks[name].manifest["images_of"] == "scenes"
    assert len(tasks[name]) == 0
    for seed, same in ((0, True), (1, False)):
        other = make(root, f"{name}_{seed}", MADE[name] | {"seed": seed})
        assert (other.manifest["files"] == tasks[name].manifest["files"]) is same


@pytest.mark.parametrize("name", MADE)
def test_too_many_items_and_wrong_sets_are_one_clear_line(tasks, root, name):
    field = "questions" if name == "vqa" else "items"
    with pytest.raises(
        UserError, match=rf"datasets\.x\.{field}\.val: (10000|5000) val .* asked for, the scenes give \d+; ask"
    ):
        make(root, "x", MADE[name] | {field: {"val": 10_000, "test": 1}})
    with pytest.raises(UserError, match=r"datasets\.x\.scenes: 'ewok' is not a data set of kind scenes"):
        make(root, "x", MADE[name] | {"scenes": "ewok"})


def test_share_fills_up_from_longer_lists():
    assert share([[1, 2, 3, 4], [5], [6, 7]], 6) == [1, 2, 3, 5, 6, 7]


# EWoK's format


def comparisons(item, scorer) -> float:
    """Mean of an item's two comparisons: T0 above T1 given C0, T1 above T0 given C1."""
    first = scorer(item.context_0, item.target_0) > scorer(item.context_0, item.target_1)
    second = scorer(item.context_1, item.target_1) > scorer(item.context_1, item.target_0)
    return (first + second) / 2


def read_ewok(text: str, concepts: list[str]) -> tuple:
    """Return what a sentence says: (relation, first, second), (more, concept) or the counts."""
    forms = {form: concept for concept in concepts for form in (concept, plural(concept))}
    words = text.split()
    nouns = [forms[word] for word in words if word in forms]
    if "more" in words:
        return "more", nouns[0]
    for kind, axis in (("left", 0), ("right", 0), ("above", 1), ("over", 1), ("higher", 1),
                       ("below", 1), ("under", 1), ("beneath", 1), ("lower", 1)):  # fmt: skip
        if kind in words:
            forward = kind in ("left", "above", "over", "higher")
            return axis, *(nouns if forward else nouns[::-1])
    count = {"a": 1, "an": 1, "one": 1, "single": 1, "pair": 2, "two": 2, "three": 3, "four": 4}
    text = " ".join(words).removeprefix("this picture shows ").removeprefix("a picture of ").removeprefix("an image ")
    said: dict[str, int] = {}
    for word in text.split():
        if word in count:
            number = count[word]
        elif word in forms:
            said[forms[word]] = number
    return tuple(sorted(said.items()))


def test_ewok_targets_follow_from_their_own_context_only(tasks, scenes):
    concepts = scenes.manifest["concepts"]
    for item in tasks["ewok"].items.itertuples():
        said = [read_ewok(text, concepts) for text in (item.context_0, item.context_1)]
        told = [read_ewok(text, concepts) for text in (item.target_0, item.target_1)]
        if item.domain == "comparison":
            said = [("more", max(counts, key=lambda pair: pair[1])[0]) for counts in said]
        assert said == told, item
        assert said[0] != said[1]
        singular = [
            Counter(
                {p: c for c in concepts for p in (plural(c), c)}.get(word, word).replace("an", "a")
                for word in text.split()
            )
            for text in (item.context_0, item.context_1, item.target_0, item.target_1)
        ]
        assert singular[0] == singular[1]
        assert singular[2] == singular[3]
        if item.domain in ("left_right", "above_below"):
            assert Counter(item.context_0.split()) == Counter(item.context_1.split())


def test_ewok_without_reading_the_context_is_exactly_half(tasks):
    items = tasks["ewok"].items
    assert Counter(items["domain"]) == dict.fromkeys(DOMAINS, sum(SIZES.values()))
    blind = {comparisons(item, lambda _, target: zlib.crc32(target.encode())) for item in items.itertuples()}
    assert blind == {0.5}
    bag = {
        comparisons(item, lambda context, target: zlib.crc32(" ".join([*sorted(context.split()), target]).encode()))
        for item in items.itertuples()
        if item.domain in ("left_right", "above_below")
    }
    assert bag == {0.5}


def test_ewok_repeating_the_order_of_the_context_is_half(tasks, scenes):
    nouns = {form for concept in scenes.manifest["concepts"] for form in (concept, plural(concept))}

    def same_order(context: str, target: str) -> float:
        return [w for w in context.split() if w in nouns] == [w for w in target.split() if w in nouns]

    items = tasks["ewok"].items
    for _, rows in items[items["domain"].isin(["left_right", "above_below"])].groupby(["split", "domain"]):
        assert sum(comparisons(item, same_order) for item in rows.itertuples()) == len(rows) / 2


def test_ewok_gists_are_of_one_split(tasks, scenes):
    gists = {
        split: {scene_from_meta(meta).gist for meta in rows} for split, rows in scenes.images.groupby("split")["meta"]
    }
    items = tasks["ewok"].items
    for item in items[items["domain"] == "quantity"].itertuples():
        for context in (item.context_0, item.context_1):
            gist = " | ".join(sorted(f"{n} {c}" for c, n in read_ewok(context, scenes.manifest["concepts"])))
            assert all(gist not in own for split, own in gists.items() if split != item.split)


# Ranked answers


def on_side(meta: dict, answer: str, known: str, axis: int, forward: bool) -> tuple[bool, bool]:
    """Whether the answer's boxes are all on that side of the known object's, and whether their middle is."""
    boxes = {thing["concept"]: thing["boxes"] for thing in meta["objects"]}
    first, second = (boxes[answer], boxes[known]) if forward else (boxes[known], boxes[answer])
    wholly = max(box[axis + 2] for box in first) <= min(box[axis] for box in second)
    middles = [sum(box[axis] + box[axis + 2] for box in own) / len(own) for own in (first, second)]
    return wholly, middles[0] < middles[1]


def test_vqa_has_one_right_answer(tasks, scenes, metas):
    forms = {form: concept for concept in scenes.manifest["concepts"] for form in (concept, plural(concept))}
    asked = Counter()
    for item in tasks["vqa"].items.itertuples():
        distractors, meta = json.loads(item.distractors), metas[item.image_id]
        counts = {thing["concept"]: thing["count"] for thing in meta["objects"]}
        assert len({item.answer, *distractors}) == 8
        words = item.question.split()
        if item.type == "count":
            assert item.answer == NUMBERS[counts[forms[words[2]]]]
            continue
        known = [forms[word] for word in words if word in forms]
        answer, wrong = forms[item.answer], {forms[word] for word in distractors}
        assert answer in counts
        assert words[1] == ("is" if counts[answer] == 1 else "are")
        assert len({word == forms[word] for word in (item.answer, *distractors) if word != "fish"}) == 1
        assert wrong >= set(counts) - {answer}
        side = next((word for word in words if word in ("left", "right", "above", "over", "higher", "below", "under",
                                                        "beneath", "lower")), None)  # fmt: skip
        asked[side is not None] += 1
        if side is None:
            assert set(counts) == {answer, *known}
            continue
        axis, forward = int(side not in ("left", "right")), side in ("left", "above", "over", "higher")
        assert on_side(meta, answer, *known, axis, forward) == (True, True)
        for other in wrong & set(counts) - set(known):
            assert on_side(meta, other, *known, axis, forward) == (False, False)
    assert min(asked[True], asked[False]) >= 4


def test_vqa_answers_are_even_and_the_majority_is_reported(tasks):
    majority = tasks["vqa"].manifest["majority"]
    assert majority["test"]["count"] <= 0.5
    assert majority["test"]["object"] <= 0.25
    items = tasks["vqa"].split("test")
    own = items[items["type"] == "count"]["answer"]
    assert majority["test"]["count"] == own.value_counts().iloc[0] / len(own)


# The probe: the grammar of data/captions.py written a second time, as an expression that can be walked


def alternatives(*options):
    return list(options)


def phrase(group: Group, sizes: bool):
    adjective = {"big": alternatives("big", "large"), "small": alternatives("small", "little")}.get(group.size, "")
    adjective = adjective if sizes else ""
    noun = group.concept if group.count == 1 else plural(group.concept)
    if group.count == 1:
        plain = [(article(word.split()[0]), word) for word in (
            [f"{size} {noun}" for size in adjective] if adjective else [noun])]  # fmt: skip
        return alternatives(*plain, ("one", adjective, noun), ("a single", adjective, noun))
    number = alternatives("two", "a pair of") if group.count == 2 else NUMBERS[group.count]
    return (number, adjective, noun)


def grammar(scene: Scene):
    """Return all captions of a scene: a string is words, a tuple a sequence, a list alternatives."""
    return [one for sizes in {False, any(g.size for g in scene.groups)} for one in captions(scene, sizes)]


def captions(scene: Scene, sizes: bool) -> Iterator:
    for order in itertools.permutations(scene.groups):
        be = "is" if order[0].count == 1 else "are"
        listing = phrase(order[0], sizes)
        if len(order) == 2:
            listing = (listing, alternatives("and", "and also", "with", "together with"), phrase(order[1], sizes))
        if len(order) == 3:
            listing = (listing, ",", phrase(order[1], sizes), ["and", "and also"], phrase(order[2], sizes))
        yield (["", f"there {be}"], listing, ["", "in the picture"])
        yield ([f"here {be}", "we see", "a picture of", "an image with", "this picture shows"], listing)
    if scene.relation is None:
        return
    a, b = scene.groups[scene.relation.first], scene.groups[scene.relation.second]
    if scene.relation.kind == "left_right":
        sides, where = ("on the left", "on the right"), (["to the left of", "left of", "on the left of"],
                                                         ["to the right of", "right of", "on the right of"])  # fmt: skip
    else:
        sides, where = ("at the top", "at the bottom"), (["above", "over", "higher than"],
                                                         ["below", "under", "beneath", "lower than"])  # fmt: skip
    rest = [group for group in scene.groups if group not in (a, b)]
    for first, second, side, other, link in ((a, b, *sides, where[0]), (b, a, *sides[::-1], where[1])):
        be = "is" if first.count == 1 else "are"
        x, y = phrase(first, sizes), phrase(second, sizes)
        clause = [
            (x, ["", be], ["", "placed", "shown"], link, y),
            (side, x, "and", other, y),
            (x, side, "and", y, other),
        ]
        yield (
            clause
            if not rest
            else [(phrase(rest[0], sizes), ", and", clause), (clause, ", and also", phrase(rest[0], sizes))]
        )


def walk(expression, words: list[str], at: int, following: set[str]) -> Iterator[int]:
    """Yield where the expression can end from ``at``; adds the words that can come after the last to ``following``."""
    if isinstance(expression, str):
        for word in expression.split():
            if at == len(words):
                following.add(word)
                return
            if words[at] != word:
                return
            at += 1
        yield at
    elif isinstance(expression, list):
        for option in expression:
            yield from walk(option, words, at, following)
    elif not expression:
        yield at
    else:
        for end in walk(expression[0], words, at, following):
            yield from walk(expression[1:], words, end, following)


def goes_on(scene_grammar, prompt: str, option: str) -> bool:
    """Whether a caption of the scene begins with the prompt and goes on with the option."""
    text = prompt.split()
    for word in option.split():
        following: set[str] = set()
        for _ in walk(scene_grammar, text, 0, following):
            pass
        if word not in following:
            return False
        text.append(word)
    return True


def all_scenes(concepts: list[str], sized: bool) -> Iterator[Scene]:
    """Yield every scene of some of the concepts, sized only where a size is of interest."""
    for kinds in (1, 2, 3):
        relations = [None] if kinds == 1 else [None, Relation("left_right", 0, 1), Relation("above_below", 0, 1)]
        options = list(itertools.product(("big", "small"), repeat=kinds)) if sized else [(None,) * kinds]
        for counts in itertools.product(range(1, 5), repeat=kinds):
            if sum(counts) > 5:
                continue
            for chosen in itertools.permutations(concepts, kinds):
                for sizes, relation in itertools.product(options, relations):
                    if not sized or kinds == 1 or len(set(sizes)) > 1:
                        yield Scene(tuple(map(Group, chosen, counts, sizes)), relation)


def test_the_second_grammar_has_every_caption_of_the_set(scenes, metas):
    for item in scenes.split("test").itertuples():
        words = item.caption.split()
        assert len(words) in walk(grammar(scene_from_meta(json.dumps(metas[item.image_id]))), words, 0, set())


def test_probe_conditions_hold_over_all_scenes(tasks, scenes, metas):
    """The picture's captions go on with the answer only; some scene's captions go on with 4, 2 or 1 of the options."""
    singular = {form: concept for concept in scenes.manifest["concepts"] for form in (concept, plural(concept))}
    grammars: dict[tuple, list] = {}
    items = tasks["probe"].items
    assert Counter(items["condition"]) == dict.fromkeys(TYPES, sum(PROBE_SIZES.values()))
    for item in items.itertuples():
        options = [item.answer, *json.loads(item.distractors)]
        assert len(set(options)) == 4
        own = grammar(scene_from_meta(json.dumps(metas[item.image_id])))
        assert [goes_on(own, item.prompt, option) for option in options] == [True, False, False, False], item
    chosen = items.groupby("type", sort=False).head(3)
    assert set(chosen["type"]) == {kind for types in TYPES.values() for kind in types}
    for item in chosen.itertuples():
        options = [item.answer, *json.loads(item.distractors)]
        named = [singular[word] for word in item.prompt.split() if word in singular]
        sized = bool({"big", "large", "small", "little"} & set(item.prompt.split()))
        possible = []
        for option in options:
            further = [singular[word] for word in option.split() if word in singular]
            mentioned = list(dict.fromkeys([*named, *further]))
            concepts = (mentioned + [c for c in scenes.manifest["concepts"] if c not in mentioned])[
                : max(len(mentioned), 3)
            ]
            key = (tuple(concepts), sized)
            if key not in grammars:
                grammars[key] = [grammar(scene) for scene in all_scenes(concepts, sized)]
            possible.append(any(goes_on(one, item.prompt, option) for one in grammars[key]))
        assert possible[0]
        assert sum(possible) == {"necessary": 4, "useful": 2, "irrelevant": 1}[item.condition], (item, possible)


def test_probe_prompts_begin_captions_and_carry_their_tag(tasks, scenes):
    captions = scenes.items.groupby("image_id")[["caption", "pos"]].agg(list)
    for item in tasks["probe"].items.itertuples():
        own = captions.loc[item.image_id]
        at = len(item.prompt.split())
        assert at > 0
        assert any(
            f"{caption} ".startswith(f"{item.prompt} {item.answer} ") and tags.split()[at] == item.pos
            for caption, tags in zip(own["caption"], own["pos"], strict=True)
        )


def test_probe_pictures_do_not_make_a_distractor_true(tasks, metas):
    """Also where the picture shows more than the scene states: no group stands where a distractor says."""
    sides = {"left": (0, True), "right": (0, False), "top": (1, True), "bottom": (1, False), "above": (1, True),
             "over": (1, True), "higher": (1, True), "below": (1, False), "under": (1, False), "beneath": (1, False),
             "lower": (1, False)}  # fmt: skip
    items = tasks["probe"].items
    for item in items[items["type"] == "place"].itertuples():
        objects = [thing["concept"] for thing in metas[item.image_id]["objects"]]
        words = item.prompt.split()
        subject = max(
            objects,
            key=lambda concept: max((i for i, w in enumerate(words) if w in (concept, plural(concept))), default=-1),
        )
        for word in json.loads(item.distractors):
            assert not any(
                on_side(metas[item.image_id], subject, other, *sides[word])[0] for other in objects if other != subject
            )
