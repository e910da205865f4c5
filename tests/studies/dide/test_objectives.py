"""DiDE's losses against loops and closed forms."""

import math

import pytest
import torch
from torch.nn import functional as F

from compactvl.nn.heads import hard_labels
from compactvl.studies.dide import objectives


def qk(heads: int = 2, length: int = 5, patches: int = 4, batch: int = 3) -> tuple:
    """Queries and keys of a text and of an image."""
    return tuple(
        tuple(torch.randn(batch, heads, size, 6, requires_grad=True) for _ in range(2)) for size in (length, patches)
    )


def masks() -> tuple[torch.Tensor, torch.Tensor]:
    text = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]).bool()
    image = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]]).bool()
    return text, image


def distillation(student: tuple, teacher: tuple, there: tuple, queries: str = "real") -> torch.Tensor:
    return objectives.attention_distillation(
        objectives.cross_maps(*student, there), objectives.cross_maps(*teacher, there), there, queries
    )


def by_loop(student: tuple, teacher: tuple, there: tuple, queries: str) -> float:
    """The loss item by item, head by head, query by query, over real keys only."""
    total = 0.0
    for one, other in ((0, 1), (1, 0)):
        values = []
        for item in range(3):
            keys = there[other][item]
            for head in range(2):
                for place in range(there[one].shape[1]):
                    if queries == "real" and not there[one][item, place]:
                        continue
                    rows = []
                    for side in (teacher, student):
                        query, key = side[one][0][item, head, place], side[other][1][item, head][keys]
                        rows.append((key @ query / math.sqrt(6)).log_softmax(0))
                    values.append((rows[0].exp() * (rows[0] - rows[1])).sum().item())
        total += sum(values) / len(values)
    return total


@pytest.mark.parametrize("queries", ["real", "all"])
def test_attention_distillation_is_the_loop(queries: str) -> None:
    torch.manual_seed(0)
    student, teacher, there = qk(), qk(), masks()
    found = distillation(student, teacher, there, queries)
    assert float(found.detach()) == pytest.approx(by_loop(student, teacher, there, queries), abs=1e-5)


def test_the_same_attention_costs_nothing_and_another_something() -> None:
    torch.manual_seed(0)
    teacher, there = qk(), masks()
    assert distillation(teacher, teacher, there).item() == pytest.approx(0, abs=1e-7)
    # Keys that all move by the same vector leave every softmax as it is.
    moved = tuple((query, key + 0.7) for query, key in teacher)
    assert distillation(moved, teacher, there).item() == pytest.approx(0, abs=1e-6)
    other = tuple((query, key.roll(1, 2)) for query, key in teacher)
    assert distillation(other, teacher, there).item() > 0.01


def test_gradients_stay_finite_where_almost_all_is_padded() -> None:
    torch.manual_seed(0)
    student, teacher, (_, image) = qk(), qk(), masks()
    text = torch.zeros(3, 5, dtype=torch.bool)
    text[:, 0] = True
    loss = distillation(student, teacher, (text, image))
    loss.backward()
    for side in student:
        for part in side:
            assert torch.isfinite(part.grad).all()
    assert math.isfinite(loss.item())


def test_it_is_not_a_cut_out_of_the_joint_softmax() -> None:
    torch.manual_seed(0)
    (text, image), (there, seen) = qk(), (torch.ones(3, 5, dtype=torch.bool), torch.ones(3, 4, dtype=torch.bool))
    block = objectives.cross_attention(text[0], image[1], seen).exp()
    keys = torch.cat([text[1], image[1]], 2)
    joint = (text[0] @ keys.transpose(-1, -2) / math.sqrt(6)).softmax(-1)[..., 5:]
    torch.testing.assert_close(block.sum(-1), torch.ones(3, 2, 5))
    assert (joint.sum(-1) < 0.999).all()
    torch.testing.assert_close(block, joint / joint.sum(-1, keepdim=True))
    assert there.all()


def test_labels() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 5), torch.randn(4, 5)
    targets = torch.rand(4, 5)
    each = -(targets * F.logsigmoid(student) + (1 - targets) * F.logsigmoid(-student))
    assert float(hard_labels(student, targets)) == pytest.approx(float(each.sum(1).mean()), rel=1e-5)
    right = torch.tensor([0, 3, 1, 1])
    chosen = -student.log_softmax(-1)[torch.arange(4), right].mean()
    assert float(hard_labels(student, right)) == pytest.approx(float(chosen), rel=1e-5)
    taught = teacher.softmax(-1)
    divergence = (taught * (taught.log() - student.softmax(-1).log())).sum(-1).mean()
    assert float(objectives.soft_labels(student, teacher, False)) == pytest.approx(float(divergence), rel=1e-5)
    sigmoid = teacher.sigmoid()
    each = -(sigmoid * F.logsigmoid(student) + (1 - sigmoid) * F.logsigmoid(-student))
    assert float(objectives.soft_labels(student, teacher, True)) == pytest.approx(float(each.sum(1).mean()), rel=1e-5)


def test_matching_leaves_out_what_says_the_same() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 3)
    match = torch.eye(3, dtype=torch.bool)
    match[0, 1] = match[1, 0] = True
    rows = [
        -logits[0, [0, 2]].log_softmax(0)[0],
        -logits[1, [1, 2]].log_softmax(0)[0],
        -logits[2].log_softmax(0)[2],
    ]
    columns = [
        -logits[[0, 2], 0].log_softmax(0)[0],
        -logits[[1, 2], 1].log_softmax(0)[0],
        -logits[:, 2].log_softmax(0)[2],
    ]
    wanted = 0.5 * (sum(rows) / 3 + sum(columns) / 3)
    assert float(objectives.matching(logits, match)) == pytest.approx(float(wanted), rel=1e-5)


def test_masking_takes_only_what_it_may_and_something_of_every_row() -> None:
    ids = torch.arange(1, 41).reshape(4, 10)
    maskable = torch.zeros(4, 10, dtype=torch.bool)
    maskable[:3, 2:7] = True
    masked_ids, masked = objectives.mask_words(ids, maskable, 0.01, 99, torch.Generator().manual_seed(0))
    assert not (masked & ~maskable).any()
    assert masked.sum(1).tolist() == [1, 1, 1, 0]
    assert torch.equal(masked_ids[~masked], ids[~masked])
    assert (masked_ids[masked] == 99).all()
    _, most = objectives.mask_words(ids, maskable, 0.6, 99, torch.Generator().manual_seed(0))
    assert 5 < int(most.sum()) < 13
