"""Whole-word masking: whole words, the rate, and what becomes of the pieces."""

import torch

from compactvl.studies.essen.masking import mask_whole_words

MASK, VOCABULARY = 99, 90


def masked(ids: torch.Tensor, words: torch.Tensor, rate: float = 0.15, kept: float = 0.1, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return mask_whole_words(ids, words, rate=rate, kept=kept, mask_id=MASK, vocabulary=VOCABULARY, generator=generator)


def test_all_pieces_of_a_word_share_its_fate():
    words = torch.tensor([[-1, 0, 0, 1, 2, 2, 2, -1], [-1, 0, 1, 1, -1, -1, -1, -1]])
    for seed in range(50):
        ids = torch.randint(10, 80, words.shape)
        hidden, chosen = masked(ids, words, 0.4, seed=seed)
        assert not chosen[words < 0].any()
        assert torch.equal(hidden[~chosen], ids[~chosen])
        assert chosen.any(1).all(), "one word a row at least"
        for row in range(2):
            for word in range(int(words[row].max()) + 1):
                assert chosen[row][words[row] == word].unique().numel() == 1


def test_rates_of_words_and_of_their_fates():
    words = torch.arange(400).repeat_interleave(2)[None].repeat(100, 1)
    ids = torch.full(words.shape, 50)
    hidden, chosen = masked(ids, words)
    assert abs(float(chosen.float().mean()) - 0.15) < 0.01
    shares = [float((hidden[chosen] == value).float().mean()) for value in (MASK, 50)]
    assert abs(shares[0] - 0.8) < 0.02
    assert abs(shares[1] - 0.1 - 0.1 / VOCABULARY) < 0.02
    everything, _ = masked(ids, words, 1.0, 0.0)
    assert (everything == MASK).all()


def test_a_row_without_words_is_left_alone():
    ids, none = torch.tensor([[5, 6, 7], [5, 6, 7]]), torch.tensor([[-1, -1, -1], [-1, 0, -1]])
    hidden, chosen = masked(ids, none)
    assert chosen.tolist() == [[False] * 3, [False, True, False]]
    assert torch.equal(masked(ids, torch.full_like(ids, -1))[0], ids)
    assert hidden[0].tolist() == [5, 6, 7]
