import pytest
import torch
from torch.nn import functional as F

from compactvl.studies.edje import objectives


def test_itm_with_one_negative_is_softplus_of_the_difference():
    positive, negative = torch.randn(50), torch.randn(50, 1)
    expected = F.softplus(negative[:, 0] - positive).mean()
    torch.testing.assert_close(objectives.itm_softmax(positive, negative), expected)


def test_itm_leaves_out_absent_negatives():
    positive, negatives = torch.randn(8), torch.randn(8, 2)
    gone = torch.cat([negatives[:, :1], torch.full((8, 1), float("-inf"))], dim=1)
    torch.testing.assert_close(
        objectives.itm_softmax(positive, gone), objectives.itm_softmax(positive, negatives[:, :1])
    )
    torch.testing.assert_close(objectives.itm_binary(positive, gone), objectives.itm_binary(positive, negatives[:, :1]))


def test_itm_binary_is_binary_cross_entropy():
    positive, negatives = torch.randn(6), torch.randn(6, 1)
    expected = 0.5 * (
        F.binary_cross_entropy_with_logits(positive, torch.ones(6))
        + F.binary_cross_entropy_with_logits(negatives[:, 0], torch.zeros(6))
    )
    torch.testing.assert_close(objectives.itm_binary(positive, negatives), expected)


def test_a_batch_without_negatives_has_the_loss_of_its_positives():
    positive, none = torch.randn(5, requires_grad=True), torch.full((5, 2), float("-inf"))
    loss = objectives.itm_binary(positive, none)
    torch.testing.assert_close(loss, 0.5 * F.binary_cross_entropy_with_logits(positive, torch.ones(5)))
    assert torch.isfinite(torch.autograd.grad(loss, positive)[0]).all()


def test_masking_takes_only_caption_tokens_at_the_set_rate():
    lengths = torch.randint(3, 30, (3000,))
    ids = torch.randint(1000, 2000, (3000, 32))
    ids[:, 2:9] = 100
    masked_ids, masked = objectives.mask_captions(ids, lengths, 0.5, 103, 100, torch.Generator().manual_seed(0))
    place = torch.arange(32)
    words = (place > 0) & (place < lengths[:, None] - 1) & (ids != 100)
    assert not (masked & ~words).any()
    assert (masked_ids[masked] == 103).all()
    assert torch.equal(masked_ids[~masked], ids[~masked])
    long = lengths > 12
    share = masked[long].sum() / words[long].sum()
    assert share.item() == pytest.approx(0.5, abs=4 * 0.5 / words[long].sum().item() ** 0.5)
    # Each by chance: of captions with one word, about half have none masked.
    single = words.sum(1) == 1
    assert 0.4 < masked[single].any(1).float().mean() < 0.6


def test_recovery_is_zero_for_the_target_and_two_for_its_opposite():
    target = F.normalize(torch.randn(4, 9), dim=-1)
    assert objectives.recovery(3 * target, target).item() == pytest.approx(0, abs=1e-6)
    assert objectives.recovery(-target, target).item() == pytest.approx(2, abs=1e-6)


def test_distillation_is_least_where_student_equals_teacher():
    teacher = torch.randn(30)
    best = objectives.distillation(teacher, teacher)
    student = teacher.clone().requires_grad_()
    objectives.distillation(student, teacher).backward()
    torch.testing.assert_close(student.grad, torch.zeros(30), atol=1e-7, rtol=0)
    assert objectives.distillation(teacher + 1, teacher) > best
