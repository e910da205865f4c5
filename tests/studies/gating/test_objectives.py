"""Auxiliary losses against loops."""

import math

import pytest
import torch
from torch.nn import functional as F

from compactvl.studies.gating.model import masked_mean
from compactvl.studies.gating.objectives import ClipHead, LcgHead

D, B, L = 8, 4, 5
MASK = torch.arange(L) < torch.tensor([5, 3, 4, 2])[:, None]


def inputs():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(B, L, D, generator=generator), torch.randn(B, D, generator=generator)


def test_clip_by_loop():
    torch.manual_seed(0)
    head = ClipHead(D)
    words, images = inputs()
    texts = masked_mean(words, MASK)
    t, v = F.normalize(head.text(texts), dim=-1), F.normalize(head.image(images), dim=-1)
    total = 0.0
    for i in range(B):
        forward = torch.stack([t[i] @ v[k] / 0.07 for k in range(B)])
        backward = torch.stack([t[k] @ v[i] / 0.07 for k in range(B)])
        total -= 0.5 * (
            torch.log(forward.exp()[i] / forward.exp().sum()) + torch.log(backward.exp()[i] / backward.exp().sum())
        )
    assert torch.allclose(head(texts, images), total / B, atol=1e-5)


@pytest.mark.parametrize(("head", "bounds"), [(ClipHead, (0.05, 1.0)), (lambda d: LcgHead(d, "paper"), (0.05, 2.0))])
def test_a_temperature_is_held_between_its_bounds_and_comes_back(head, bounds):
    temperature = head(D).temperature
    for outside, bound in zip((0.001, 30.0), bounds, strict=True):
        torch.nn.init.constant_(temperature.log, math.log(outside))
        tau = temperature()
        assert tau.item() == pytest.approx(bound)
        (gradient,) = torch.autograd.grad(tau, temperature.log)
        assert gradient.item() == pytest.approx(bound)  # d τ / d log τ = τ: none is lost at a bound


def test_clip_learns_the_logarithm_of_its_temperature():
    head = ClipHead(D)
    words, images = inputs()
    texts = masked_mean(words, MASK)
    head(texts, images).backward()
    tau = torch.tensor(0.07, requires_grad=True)
    t, v = F.normalize(head.text(texts), dim=-1), F.normalize(head.image(images), dim=-1)
    logits = t @ v.T / tau
    loss = 0.5 * (F.cross_entropy(logits, torch.arange(B)) + F.cross_entropy(logits.T, torch.arange(B)))
    (gradient,) = torch.autograd.grad(loss, tau)
    assert head.temperature.log.grad.item() == pytest.approx(0.07 * gradient.item(), rel=1e-3)


def loop(head, words, images):
    t, v = head.text(words), head.image(images)
    terms = []
    for i in range(B):
        own = [j for j in range(L) if MASK[i, j]]
        for j in own:
            over_images = torch.stack([t[i, j] @ v[k] for k in range(B)]).softmax(0)[i]
            over_words = torch.stack([t[i, k] @ v[i] for k in own]).softmax(0)[own.index(j)]
            terms += [over_images, over_words]
    return torch.stack(terms)


def released_loop(head, words, images):
    t, v = head.text(words), head.image(images)
    terms = []
    for i in range(B):
        for j in range(L):
            if MASK[i, j]:
                own = torch.exp(t[i, j] @ v[i])
                images_there = sum(torch.exp(t[i, j] @ v[k]) for k in range(B) if MASK[k, j])
                other_words = sum(
                    torch.exp(t[k, p] @ v[i]) for k in range(B) for p in range(L) if k != i and MASK[k, p]
                )
                terms += [own / images_there, own / (own + other_words)]
    return torch.stack(terms)


def test_lcg_by_loop():
    torch.manual_seed(0)
    head = LcgHead(D, "paper")
    words, images = inputs()
    assert torch.allclose(head(words, MASK, images), -loop(head, words, images).log().mean(), atol=1e-5)


def test_released_lcg_by_loop():
    torch.manual_seed(0)
    head = LcgHead(D, "released")
    words, images = inputs()
    assert torch.allclose(head(words, MASK, images), released_loop(head, words, images).mean(), atol=1e-6)
    head(words, MASK, images).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())


def test_minimising_the_released_lcg_pushes_matching_pairs_apart():
    words, images = inputs()
    agreement = {}
    for mode in ("paper", "released"):
        torch.manual_seed(0)
        head = LcgHead(D, mode)
        before = loop(head, words, images).mean().item()
        optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
        for _ in range(60):
            optimiser.zero_grad()
            head(words, MASK, images).backward()
            optimiser.step()
        agreement[mode] = loop(head, words, images).mean().item() - before
    assert agreement["paper"] > 0.05
    assert agreement["released"] < -0.05
