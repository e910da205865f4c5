"""One training step against its definition, written as a loop over pairs; and where weights start from."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compactvl.errors import UserError
from compactvl.studies.edje import model as scoring
from compactvl.studies.edje.joint import start_from
from compactvl.studies.edje.model import JointModel, match_pairs
from compactvl.studies.edje.negatives import Chosen
from compactvl.studies.edje.settings import JointEncoder
from compactvl.studies.edje.train_joint import Trainer
from compactvl.text.batches import TokenBatch

# Row 2 has no mined image, row 4 no image negative at all, rows 1 and 4 no text.
CHOSEN = Chosen(
    np.array([[1, 3], [0, 5], [-1, 4], [2, -1], [-1, -1], [0, 2]]),
    np.array([[2], [-1], [0], [1], [-1], [3]]),
)
# Captions 6 and 7 are in no row: those of rows 1 and 3, exchanged.
WITH_EXCHANGED = Chosen(CHOSEN.images, np.column_stack([CHOSEN.texts[:, 0], [-1, 6, -1, 7, -1, -1]]))


def trainer(tiny, objectives, teacher=None):
    body = {"encoder": "e", "vision": {"tokens": 16, "width": 24, "pooled": 1}, "dataset": "d", "first_stage": "f"}
    body |= {"adapter": {"heads": 2}, "optimiser": {"steps": 1}, "joint": {"dropout": 0.0}, "objectives": objectives}
    settings = JointEncoder(kind="joint", teacher="t" if teacher else None, **body)
    model = tiny.build()
    return SimpleNamespace(
        job=SimpleNamespace(settings=settings), model=model, teacher=teacher, tokenizer=SimpleNamespace(sep=tiny.sep)
    )


def one_logit(model, tiny, image, text):
    vision = model.compress(tiny.patches[image : image + 1])
    pair = (torch.tensor([0]), torch.tensor([text]))
    return match_pairs(model, vision, tiny.captions, *pair, tiny.sep)[0]


def softmax_loss(positive, negatives):
    return -positive + torch.logsumexp(torch.stack([positive, *negatives]), 0)


@pytest.mark.parametrize("chosen", [CHOSEN, WITH_EXCHANGED])
@pytest.mark.parametrize("form", ["softmax", "binary"])
def test_matching_is_a_loop_over_pairs(tiny, form, chosen):
    teacher = tiny.build()
    for parameter in teacher.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    weights = {"itm": 0.7, "itm_form": form, "distillation": 0.3}
    step = trainer(tiny, weights, teacher)
    vision = step.model.compress(tiny.patches)
    tiny.captions = TokenBatch.of([*tiny.rows, *([row[0], *row[-2:0:-1], row[-1]] for row in tiny.rows[1:4:2])])
    total, numbers = Trainer._matching(step, vision, tiny.patches, tiny.captions, chosen)

    rows = range(6)
    student, taught = {}, {}
    for row in rows:
        pairs = [(row, row), *((i, row) for i in chosen.images[row]), *((row, t) for t in chosen.texts[row])]
        for place, (image, text) in enumerate(pairs):
            if image >= 0 and text >= 0:
                student[row, place] = one_logit(step.model, tiny, image, text)
                taught[row, place] = one_logit(teacher, tiny, image, text).detach()
    itm, wins = 0.0, 0.0
    for places in ((1, 2), (3, 4)):
        found = {row: [student[row, p] for p in places if (row, p) in student] for row in rows}
        if form == "softmax":
            itm += 0.5 * sum(softmax_loss(student[row, 0], found[row]) for row in rows) / 6
        else:
            wrong = torch.stack([logit for row in rows for logit in found[row]])
            right = torch.stack([student[row, 0] for row in rows])
            itm += 0.25 * (F.softplus(-right).mean() + F.softplus(wrong).mean())
        wins += 0.5 * sum(all(student[row, 0] > logit for logit in found[row]) for row in rows) / 6
    distillation = sum(F.softplus(logit) - torch.sigmoid(taught[key]) * logit for key, logit in student.items()) / len(
        student
    )

    assert len(student) == 6 + 8 + (chosen.texts >= 0).sum() == 6 + chosen.number
    assert numbers["itm"].item() == pytest.approx(itm.item(), abs=1e-5)
    assert numbers["accuracy"].item() == pytest.approx(wins)
    assert numbers["distillation"].item() == pytest.approx(distillation.item(), abs=1e-5)
    assert total.item() == pytest.approx(0.7 * itm.item() + 0.3 * distillation.item(), abs=1e-5)

    # The gradients are those of the loop too, absent negatives included.
    got = torch.autograd.grad(total, step.model.pooler.weight, retain_graph=True)[0]
    expected = torch.autograd.grad(0.7 * itm + 0.3 * distillation, step.model.pooler.weight)[0]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_a_row_without_negatives_has_no_loss(tiny):
    step = trainer(tiny, {"distillation": 0})
    none = Chosen(np.full((6, 2), -1), np.full((6, 1), -1))
    assert none.number == 0
    total, numbers = Trainer._matching(step, step.model.compress(tiny.patches), tiny.patches, tiny.captions, none)
    assert total.item() == pytest.approx(0, abs=1e-6)
    assert math.isfinite(numbers["accuracy"].item())


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_recomputed_chunks_have_the_same_gradients(tiny, dropout, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 4)
    images, texts = torch.arange(6).repeat(3), torch.arange(18) % 5
    found = {}
    for checkpointed in (False, True):
        model = tiny.build(checkpoint_chunks=checkpointed).train()
        patches = tiny.patches.clone().requires_grad_()
        torch.manual_seed(7)
        logits = match_pairs(model, model.compress(patches), tiny.captions, images, texts, tiny.sep, dropout)
        logits.square().sum().backward()
        grads = {name: p.grad for name, p in model.named_parameters()} | {"patches": patches.grad}
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, saved=saved: saved.append(t.numel()) or t, lambda t: t):
            match_pairs(model, model.compress(patches), tiny.captions, images, texts, tiny.sep, dropout)
        found[checkpointed] = (logits.detach(), grads, sum(saved))
    assert torch.equal(found[False][0], found[True][0])
    assert found[False][1].keys() == found[True][1].keys()
    for name, grad in found[False][1].items():
        torch.testing.assert_close(found[True][1][name], grad, msg=name)
    assert found[True][2] < 0.5 * found[False][2], "nothing is recomputed"


@pytest.mark.parametrize("room", [12, 16, 40])
def test_a_start_shares_the_positions_both_have(tiny, saved_run, tmp_path, room):
    torch.manual_seed(2)
    other = JointModel(tiny.variant(tokens=7, longest_caption=64 - 7 + room), tiny.bert)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    model = tiny.build(recovery_dim=4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    start_from(model, adapter=None, joint=saved_run(other, tmp_path))
    given = other.bert.embeddings.position.weight
    table, own = model.bert.embeddings.position.weight, before["bert.embeddings.position.weight"]
    shared = min(len(given), len(table))
    assert torch.equal(table[:shared], given[:shared])
    assert torch.equal(table[shared:], own[shared:])
    state = model.state_dict()
    for name, value in other.state_dict().items():
        if name.startswith(("bert.", "pooler.", "itm.")) and "position" not in name:
            assert torch.equal(state[name], value), name
    for name in state:
        if name.startswith(("adapter.", "recovery.")):
            assert torch.equal(state[name], before[name]), name


def test_a_longer_table_keeps_its_own_rows(tiny, saved_run, tmp_path):
    long = JointModel(tiny.variant(longest_caption=90), tiny.bert)
    start_from(long, adapter=None, joint=saved_run(tiny.build(), tmp_path / "short"))
    assert len(long.bert.embeddings.position.weight) == 95
    short = tiny.build()
    start_from(short, adapter=None, joint=saved_run(long, tmp_path / "long"))
    assert len(short.bert.embeddings.position.weight) == 64
    assert torch.equal(short.bert.embeddings.position.weight, long.bert.embeddings.position.weight[:64])


def test_an_adapter_is_taken_alone_and_of_its_own_kind(tiny, saved_run, tmp_path):
    model, other = tiny.build(), tiny.build()
    torch.nn.init.normal_(other.itm.weight)
    for parameter in other.adapter.parameters():
        torch.nn.init.normal_(parameter)
    itm = model.itm.weight.clone()
    start_from(model, adapter=saved_run(other, tmp_path / "same"), joint=None)
    for mine, theirs in zip(model.adapter.parameters(), other.adapter.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(model.itm.weight, itm)
    wrong = saved_run(tiny.build(kind="local"), tmp_path / "local")
    with pytest.raises(UserError, match=r"cannot start this variant: its adapter\. weights are of another kind"):
        start_from(model, adapter=wrong, joint=None)
    larger = saved_run(tiny.build(tokens=9), tmp_path / "larger")
    with pytest.raises(UserError, match="cannot start this variant: size mismatch for adapter") as caught:
        start_from(model, adapter=larger, joint=None)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"nowhere/manifest\.json is missing: the stage that makes .* has not finished"):
        start_from(model, adapter=None, joint=tmp_path / "nowhere")
