import numpy as np
import pandas as pd
import pytest

from compactvl.data.pairs import Pairs
from compactvl.studies.edje.negatives import choose
from compactvl.studies.edje.settings import Negatives
from compactvl.training.mining import allowed, hardest

IMAGES, TEXTS = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 2, 2, 3])


def pick(settings, accuracy=1.0, seed=0, score=None):
    rng = np.random.default_rng(seed)
    grid = np.random.default_rng(9).normal(size=(5, 5))
    chosen = choose(settings, IMAGES, TEXTS, lambda: grid, score, accuracy, rng)
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
            Negatives(mode="released"), IMAGES, TEXTS, lambda grid=grid: grid, None, 1.0, np.random.default_rng(0)
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
                1.0,
                np.random.default_rng(seed),
            )
            same_image[mode] += int((images[chosen.images[:, 0]] == images).sum())
    assert same_image["paper"] == 0
    assert same_image["released"] > 20


def test_mining_waits_for_the_set_accuracy():
    settings = Negatives(start_accuracy=0.9)
    easy = np.stack([pick(settings, accuracy=0.5, seed=s)[0].images[:, 0] for s in range(40)])
    hard = np.stack([pick(settings, accuracy=0.95, seed=s)[0].images[:, 0] for s in range(40)])
    assert (hard == hard[0]).all()
    assert (easy != easy[0]).any()


def test_own_scores_choose_among_the_nearest():
    scores = np.random.default_rng(4).normal(size=(5, 5))
    chosen, grid = pick(Negatives(miner="self", candidates=3), score=lambda i, t: scores[i, t])
    permitted = allowed(IMAGES, TEXTS)
    for row in range(5):
        near = [c for c in np.argsort(-grid[row]) if permitted[row, c]][:3]
        assert chosen.texts[row, 0] == max(near, key=lambda c: scores[row, c])
        near = [c for c in np.argsort(-grid[:, row]) if permitted[row, c]][:3]
        assert chosen.images[row, 0] == max(near, key=lambda c: scores[c, row])
