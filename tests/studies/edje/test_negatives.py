from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from compactvl.data.pairs import Pairs
from compactvl.studies.edje.negatives import Chosen, choose
from compactvl.studies.edje.settings import JointEncoder, Negatives
from compactvl.studies.edje.train_joint import Trainer
from compactvl.text.batches import TokenBatch
from compactvl.training.mining import allowed, hardest

IMAGES, TEXTS = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 2, 2, 3])


def pick(settings, seed=0, score=None):
    rng = np.random.default_rng(seed)
    grid = np.random.default_rng(9).normal(size=(5, 5))
    chosen = choose(settings, IMAGES, TEXTS, lambda: grid, score, rng)
    return chosen, grid


def test_hard_negatives_are_the_miners_nearest_other_image_and_text():
    chosen, grid = pick(Negatives())
    permitted = allowed(IMAGES, TEXTS)
    np.testing.assert_array_equal(chosen.images[:, 0], hardest(grid.T, permitted))
    np.testing.assert_array_equal(chosen.texts[:, 0], hardest(grid, permitted))


@pytest.mark.parametrize(
    "settings", [Negatives(), Negatives(miner="random"), Negatives(hard_share=0.5, random_images=2)]
)
def test_no_negative_is_of_the_same_image_or_words(settings):
    for seed in range(30):
        chosen, _ = pick(settings, seed=seed)
        assert chosen.images.shape == (5, 1 + settings.random_images)
        for columns in (chosen.images, chosen.texts):
            for row, others in enumerate(columns):
                assert all(IMAGES[row] != IMAGES[o] and TEXTS[row] != TEXTS[o] for o in others)


def test_released_mode_bars_images_by_row_and_texts_by_words_alone():
    for seed in range(20):
        grid = np.random.default_rng(seed).normal(size=(5, 5))
        chosen = choose(
            Negatives(mode="released"), IMAGES, TEXTS, lambda grid=grid: grid, None, np.random.default_rng(0)
        )
        for row in range(5):
            # A caption's negative image: any other row's, of the same image (0, 1) and for the same words (2, 3) too.
            assert chosen.images[row, 0] == max((o for o in range(5) if o != row), key=lambda o: grid[o, row])
            # An image's negative text: other words, another caption of the same image too.
            assert chosen.texts[row, 0] == max(
                (o for o in range(5) if TEXTS[o] != TEXTS[row]), key=lambda o: grid[row, o]
            )


def test_released_defect_shows_in_drawn_batches():
    items = pd.DataFrame(
        [(str(i // 4), "train", f"caption {i}") for i in range(24)], columns=["image_id", "split", "caption"]
    )
    pairs = Pairs.of(type("Few", (), {"name": "few", "items": items}), "train")
    same_image = {"paper": 0, "released": 0}
    for seed in range(20):
        images, captions = pairs.batch(8, np.random.default_rng(seed))
        alike = (images[:, None] == images[None]).astype(float)
        for mode in same_image:
            chosen = choose(
                Negatives(mode=mode),
                images,
                pairs.text[captions],
                lambda alike=alike: alike,
                None,
                np.random.default_rng(seed),
            )
            same_image[mode] += int((images[chosen.images[:, 0]] == images).sum())
    assert same_image["paper"] == 0
    assert same_image["released"] > 20


@pytest.mark.parametrize("settings", [Negatives(), Negatives(miner="random")])
def test_a_twin_is_the_negative_of_its_twin_whatever_is_mined(settings):
    twins = np.array([-1, 3, -1, 1, -1])
    grid = np.random.default_rng(9).normal(size=(5, 5))
    plain, with_twins = (
        choose(settings, IMAGES, TEXTS, lambda: grid, None, np.random.default_rng(0), given) for given in (None, twins)
    )
    for row in range(5):
        for before, after in ((plain.images, with_twins.images), (plain.texts, with_twins.texts)):
            assert after[row, 0] == (twins[row] if twins[row] >= 0 else before[row, 0])


def test_couples_of_twins_take_a_batchs_first_places():
    twin_of = np.array([-1, 4, 7, -1, 1, -1, -1, 2, -1, -1])
    owner = np.repeat(np.arange(10), 3)
    pairs = SimpleNamespace(of_image=[np.flatnonzero(owner == i) for i in range(10)])
    for count in (1, 2, 5):
        trainer = SimpleNamespace(
            twin_of=twin_of,
            pairs=pairs,
            job=SimpleNamespace(settings=SimpleNamespace(negatives=SimpleNamespace(twins=count))),
        )
        for seed in range(20):
            rng = np.random.default_rng(seed)
            drawn = rng.permutation(30)[:8]
            images, texts, rows = Trainer._with_twins(trainer, owner[drawn], drawn, rng)
            known = 2 * min(count, 2)  # there are two couples
            assert np.array_equal(twin_of[images[:known]], images[rows[:known]])
            assert (rows[known:] == -1).all()
            assert np.array_equal(owner[texts], images)
            assert len(images) <= 8
            assert set(images[known:].tolist()).isdisjoint(images[:known].tolist())


def test_some_rows_get_their_exchanged_caption_as_a_second_text_negative():
    ids = [[0, 10 + text, 1] for text in range(8)]
    exchanged = [[0, 50 + text, 1] if text % 2 else [] for text in range(8)]
    chosen = Chosen(np.zeros((5, 2), np.int64), np.arange(5)[:, None])
    texts = np.array([7, 2, 1, 3, 6])
    seen = set()
    for number, wanted in ((1, 1), (2, 2), (9, 3)):
        for seed in range(20):
            trainer = SimpleNamespace(
                ids=ids,
                exchanged=exchanged,
                job=SimpleNamespace(settings=SimpleNamespace(negatives=SimpleNamespace(exchanged=number))),
            )
            captions = TokenBatch.of([ids[text] for text in texts])
            every, now = Trainer._with_exchanged(trainer, texts, captions, chosen, np.random.default_rng(seed))
            assert np.array_equal(every.ids[:5], captions.ids)
            assert np.array_equal(now.images, chosen.images)
            assert np.array_equal(now.texts[:, 0], chosen.texts[:, 0])
            rows = np.flatnonzero(now.texts[:, 1] >= 0)
            assert len(rows) == wanted
            assert len(every.ids) == 5 + wanted
            assert {row: int(every.ids[now.texts[row, 1], 1]) for row in rows} == {row: 50 + texts[row] for row in rows}
            seen |= {number * 10 + row for row in rows}
    assert seen == {10, 12, 13, 20, 22, 23, 90, 92, 93}, "any of those that have one"


def test_own_scores_choose_among_the_nearest():
    scores = np.random.default_rng(4).normal(size=(5, 5))
    chosen, grid = pick(Negatives(miner="self", candidates=3), score=lambda i, t: scores[i, t])
    permitted = allowed(IMAGES, TEXTS)
    for row in range(5):
        near = [c for c in np.argsort(-grid[row]) if permitted[row, c]][:3]
        assert chosen.texts[row, 0] == max(near, key=lambda c: scores[row, c])
        near = [c for c in np.argsort(-grid[:, row]) if permitted[row, c]][:3]
        assert chosen.images[row, 0] == max(near, key=lambda c: scores[c, row])


@pytest.mark.parametrize(("couples", "fits"), [(0, True), (3, True), (4, False), (5, False)])
def test_couples_leave_room_in_a_batch(couples, fits):
    body = {"kind": "joint", "encoder": "e", "vision": {"tokens": 16, "width": 24, "pooled": 1}, "dataset": "d"}
    body |= {"first_stage": "f", "adapter": {"heads": 2}, "optimiser": {"steps": 1, "batch": 8}}
    body["negatives"] = {"twins": couples}
    if fits:
        assert JointEncoder(**body).negatives.twins == couples
    else:
        with pytest.raises(ValueError, match="leave no room in a batch"):
            JointEncoder(**body)
