"""Effective rank against closed forms and numpy's singular values."""

import numpy as np
import pytest
import torch

from compactvl.studies.encoder_roles.effective_rank import effective_rank, rank_of_tokens


def test_closed_forms():
    assert float(effective_rank(torch.eye(7))) == pytest.approx(7)
    assert float(effective_rank(torch.ones(5, 9))) == pytest.approx(1)
    assert float(effective_rank(torch.zeros(4, 3))) == 0
    spectrum = torch.diag(torch.tensor([3.0, 1.0]))
    assert float(effective_rank(spectrum)) == pytest.approx(np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25))))
    half = torch.diag(torch.tensor([2.0, 2.0, 0.0]))
    assert float(effective_rank(half)) == pytest.approx(2)


def test_it_is_that_of_an_independent_decomposition_whatever_the_scale():
    matrices = np.random.default_rng(0).normal(size=(6, 12, 5))
    found = effective_rank(torch.from_numpy(matrices).float())
    for matrix, rank in zip(matrices, found, strict=True):
        values = np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix).clip(0))
        shares = values / values.sum()
        assert float(rank) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)
    torch.testing.assert_close(
        effective_rank(1e-3 * torch.from_numpy(matrices)), effective_rank(torch.from_numpy(matrices))
    )


def test_the_mean_row_is_a_direction_unless_it_is_taken_off():
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    assert effective_rank(rows + 100) < 1.5
    assert effective_rank(rows + 100, centre=True) > 3.5


def test_per_image_or_stacked():
    tokens = torch.stack([torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])])
    assert rank_of_tokens(tokens, "image") == pytest.approx(1)
    assert rank_of_tokens(tokens, "stacked") == pytest.approx(2)
