import numpy as np

from compactvl.training.mining import allowed, at_random, hardest, nearest


def brute_force(similarity, images, texts):
    chosen = []
    for i in range(len(images)):
        best, best_score = -1, -np.inf
        for j in range(len(images)):
            if images[i] != images[j] and texts[i] != texts[j] and similarity[i, j] > best_score:
                best, best_score = j, similarity[i, j]
        chosen.append(best)
    return np.array(chosen)


def test_hardest_equals_brute_force_and_never_takes_the_same_image_or_words():
    rng = np.random.default_rng(0)
    for _ in range(50):
        images, texts = rng.integers(0, 6, 12), rng.integers(0, 6, 12)
        similarity = rng.normal(size=(12, 12))
        permitted = allowed(images, texts)
        got = hardest(similarity, permitted)
        np.testing.assert_array_equal(got, brute_force(similarity, images, texts))
        for row, column in enumerate(got):
            assert column == -1 or (images[row] != images[column] and texts[row] != texts[column])


def test_nothing_permitted_gives_minus_one():
    permitted = np.zeros((3, 3), bool)
    assert (hardest(np.ones((3, 3)), permitted) == -1).all()
    assert (nearest(np.ones((3, 3)), permitted, 2) == -1).all()


def test_random_is_uniform_over_what_is_permitted():
    permitted = allowed(np.array([0, 0, 1, 2]), np.arange(4))
    rng = np.random.default_rng(0)
    counts = np.zeros((4, 4))
    for _ in range(4000):
        counts[np.arange(4), at_random(permitted, rng)] += 1
    assert (counts[~permitted] == 0).all()
    expected = 4000 * permitted / permitted.sum(1, keepdims=True)
    np.testing.assert_allclose(counts, expected, atol=4 * np.sqrt(1000))


def test_nearest_is_in_order_and_starts_with_the_hardest():
    rng = np.random.default_rng(1)
    similarity, permitted = rng.normal(size=(8, 8)), allowed(np.arange(8), np.arange(8))
    got = nearest(similarity, permitted, 3)
    np.testing.assert_array_equal(got[:, 0], hardest(similarity, permitted))
    scores = np.take_along_axis(similarity, got, 1)
    assert (np.diff(scores, axis=1) <= 0).all()
