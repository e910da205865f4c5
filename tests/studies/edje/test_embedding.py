"""Losses and scores of the embedding models against their formulas, written as loops."""

import math

import pytest
import torch
from torch.nn import functional as F

from compactvl.studies.edje.embedding import EmbeddingModel, LateInteraction
from compactvl.studies.edje.settings import Embedding

B, DIM = 5, 6


def model_and_batch(loss):
    torch.manual_seed(0)
    settings = Embedding(
        kind="embedding",
        encoder="e",
        vision={"tokens": 4, "width": 8, "pooled": 8},
        text_encoder="t",
        text_width=8,
        dataset="d",
        dim=DIM,
        loss=loss,
        optimiser={"steps": 1},
    )
    images, texts = (F.normalize(torch.randn(B, DIM), dim=-1) for _ in range(2))
    same = torch.eye(B, dtype=torch.bool)
    same[0, 3] = same[3, 0] = True
    return EmbeddingModel(settings), images, texts, same


def test_softmax_loss_leaves_out_other_matches():
    model, images, texts, same = model_and_batch("softmax")
    loss, logits = model.loss(images, texts, same)
    scale = 1 / 0.07
    total = 0.0
    for i in range(B):
        for one in (lambda j, i=i: images[i] @ texts[j], lambda j, i=i: images[j] @ texts[i]):
            allowed = [math.exp(scale * one(j).item()) for j in range(B) if j == i or not same[i, j]]
            total -= math.log(math.exp(scale * one(i).item()) / sum(allowed)) / (2 * B)
    assert loss.item() == pytest.approx(total, rel=1e-5)
    torch.testing.assert_close(logits, scale * images @ texts.T)


def test_sigmoid_loss_is_siglips_formula():
    model, images, texts, same = model_and_batch("sigmoid")
    loss, _ = model.loss(images, texts, same)
    total = 0.0
    for i in range(B):
        for j in range(B):
            z = 1 if same[i, j] else -1
            logit = (images[i] @ texts[j]).item() / 0.07 - 10
            total += math.log1p(math.exp(-z * logit)) / B
    assert loss.item() == pytest.approx(total, rel=1e-5)


def test_temperature_is_bounded():
    model, images, texts, same = model_and_batch("softmax")
    with torch.no_grad():
        model.log_scale.fill_(20.0)
    _, logits = model.loss(images, texts, same)
    torch.testing.assert_close(logits, 100 * images @ texts.T)


@pytest.fixture
def late():
    torch.manual_seed(1)
    model = LateInteraction(torch.nn.Identity(), torch.randn(40, 16), sharpness=9.0, rescale=False)
    torch.nn.init.normal_(model.weight.weight)
    return model


IDS = [[3, 7, 7, 20], [11], [5, 30]]


def scores_of(model, rows, vision):
    length = max(map(len, rows))
    ids = torch.tensor([[*row, *[39] * (length - len(row))] for row in rows])
    mask = torch.tensor([[k < len(row) for k in range(length)] for row in rows])
    return model.scores(vision, ids, mask)


def test_late_interaction_is_its_formula(late):
    vision = torch.randn(2, 5, 16)
    mean = late.words.mean(0)
    got = scores_of(late, IDS, vision)
    assert got.shape == (2, 3)
    for image in range(2):
        for caption, row in enumerate(IDS):
            importance = [math.exp(late.weight.weight[w].item()) for w in row]
            expected = 0.0
            for w, share in zip(row, importance, strict=True):
                cosines = [F.cosine_similarity(v - mean, late.words[w] - mean, dim=0).item() for v in vision[image]]
                soft = math.log(sum(math.exp(9.0 * c) for c in cosines)) / 9.0
                expected += share / sum(importance) * soft
            assert got[image, caption].item() == pytest.approx(30 * expected, rel=1e-4, abs=1e-4)


def test_a_caption_without_words_scores_zero_and_harms_no_gradient(late):
    vision = torch.randn(2, 5, 16, requires_grad=True)
    got = scores_of(late, [*IDS, []], vision)
    torch.testing.assert_close(got[:, :3], scores_of(late, IDS, vision))
    assert got[:, 3].tolist() == [0, 0]
    got.sum().backward()
    assert torch.isfinite(vision.grad).all()
    assert torch.isfinite(late.weight.weight.grad).all()
    nothing = late.scores(vision, torch.zeros(2, 0, dtype=torch.long), torch.zeros(2, 0, dtype=torch.bool))
    assert nothing.tolist() == [[0, 0], [0, 0]]
