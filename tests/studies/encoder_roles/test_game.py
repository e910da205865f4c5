"""What an encoder is worth, against closed forms and a loop over all orders."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from compactvl.studies.encoder_roles import game

POOL = ("a", "b", "c", "d")
ALL = range(1 << len(POOL))


def additive(values: np.ndarray) -> np.ndarray:
    return np.array([sum(value for i, value in enumerate(values) if mask >> i & 1) for mask in ALL])


def some(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random((*shape, len(ALL)))


def test_places_and_names():
    assert game.mask_of(["a", "c"], POOL) == 0b0101
    assert game.subset_of(0b0101, POOL) == ["a", "c"]
    with pytest.raises(ValueError, match="every subset"):
        game.players(np.zeros(6))


def test_of_additive_scores_every_worth_is_the_encoders_own_value():
    values = np.array([0.4, 0.1, 0.25, 0.0])
    scores = additive(values)
    for found in (game.capacity(scores), game.necessity(scores), game.shapley(scores)):
        np.testing.assert_allclose(found, values, atol=1e-12)
    synergy = game.synergy(scores)
    assert synergy[0, 2] == pytest.approx(values[2])
    assert np.isnan(np.diag(synergy)).all()
    assert game.best_of_size(scores).tolist() == [0b0001, 0b0101, 0b0111, 0b1111]


def test_redundant_encoders_are_not_needed():
    scores = np.array([float(mask > 0) for mask in ALL])
    assert game.capacity(scores).tolist() == [1, 1, 1, 1]
    assert game.necessity(scores).tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(game.shapley(scores), 0.25)


def test_shapley_values_are_the_mean_gain_over_all_orders_and_sum_to_the_whole():
    scores, gains = some(), np.zeros(len(POOL))
    orders = list(permutations(range(len(POOL))))
    for order in orders:
        mask = 0
        for i in order:
            gains[i] += scores[mask | 1 << i] - scores[mask]
            mask |= 1 << i
    np.testing.assert_allclose(game.shapley(scores), gains / len(orders))
    many = some(3, 2)
    np.testing.assert_allclose(game.shapley(many).sum(-1), many[..., -1] - many[..., 0])
    np.testing.assert_allclose(game.shapley(many)[1, 1], game.shapley(many[1, 1]))


def test_utilisation_is_a_share_of_the_whole_pool():
    scores = some(5)
    np.testing.assert_allclose(game.utilisation(scores) * scores[:, -1:], game.necessity(scores))
    rates = game.utilisation(scores)
    np.testing.assert_allclose(game.information_gap(scores), rates.max(1) - rates.min(1))


def test_a_subset_that_was_not_trained_is_never_the_best():
    scores = additive(np.array([0.4, 0.1, 0.25, 0.0]))
    scores[0b0101] = np.nan
    assert game.best_of_size(scores)[1] == 0b0011
    assert np.isnan(game.synergy(scores)[0, 2])


@pytest.mark.parametrize("ties", [False, True])
def test_orders_agree_as_scipy_says(ties):
    x, y = np.random.default_rng(1).random((2, 40, 5))
    if ties:
        x, y = np.round(3 * x), np.round(3 * y)
    for row, (one, other) in enumerate(zip(x, y, strict=True)):
        if len(set(one)) > 1 and len(set(other)) > 1:
            assert game.kendall(x, y)[row] == pytest.approx(stats.kendalltau(one, other).statistic)
            assert game.spearman(x, y)[row] == pytest.approx(stats.spearmanr(one, other).statistic)
