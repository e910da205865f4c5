import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from compactvl.text.batches import TokenBatch, batches_by_length

ROWS = [[5, 6, 7], [8], [], [9, 10, 11, 12]]


def test_rows_are_padded_on_the_right_as_torch_pads_them():
    batch = TokenBatch.of(ROWS, pad=3)
    expected = pad_sequence([torch.tensor(row, dtype=torch.int64) for row in ROWS], batch_first=True, padding_value=3)
    assert torch.equal(batch.ids, expected)
    assert batch.lengths.tolist() == [3, 1, 0, 4]
    assert [row[there].tolist() for row, there in zip(batch.ids, batch.mask, strict=True)] == ROWS


def test_picked_rows_lose_padding_and_have_no_mask_where_none_is_left():
    batch = TokenBatch.of(ROWS)
    picked = batch.pick(torch.tensor([1, 0, 1]))
    assert picked.ids.tolist() == [[8, 0, 0], [5, 6, 7], [8, 0, 0]]
    assert torch.equal(picked.padded_mask, picked.mask)
    assert batch.pick(torch.tensor([3, 3])).padded_mask is None
    assert TokenBatch.of([[], []]).ids.shape == (2, 0)


@pytest.mark.parametrize("limits", [{"rows": 7}, {"tokens": 4096}, {"rows": 16, "tokens": 2000}, {}])
@pytest.mark.parametrize("kinds", [1, 3])
def test_batches_hold_every_row_once_are_full_and_keep_kinds_apart(limits, kinds):
    rng = np.random.default_rng(0)
    lengths, kinds = rng.integers(3, 900, 200), rng.integers(0, kinds, 200)
    batches = batches_by_length(lengths, kinds, **limits)
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))
    rows, tokens = limits.get("rows", 200), limits.get("tokens", 200 * 900)

    def fits(members):
        return (
            len(set(kinds[members])) == 1 and len(members) <= rows and lengths[members].max() * len(members) <= tokens
        )

    assert all(fits(batch) for batch in batches)
    # The first row of a batch would not have fitted into the batch before it.
    assert not any(fits([*one, other[0]]) for one, other in itertools.pairwise(batches))
    for kind in set(kinds):
        of_kind = np.concatenate([batch for batch in batches if kinds[batch[0]] == kind])
        assert of_kind.tolist() == sorted(np.flatnonzero(kinds == kind), key=lambda row: (lengths[row], row))


def test_a_row_longer_than_a_batch_stands_alone():
    assert [batch.tolist() for batch in batches_by_length([9, 2, 8, 2], tokens=6)] == [[1, 3], [2], [0]]
    assert batches_by_length([]) == []


def test_rows_of_equal_length_share_a_batch_where_the_length_is_the_kind():
    lengths = [4, 2, 4, 2, 2, 4, 3]
    assert [batch.tolist() for batch in batches_by_length(lengths, lengths, rows=2)] == [[1, 3], [4], [6], [0, 2], [5]]
