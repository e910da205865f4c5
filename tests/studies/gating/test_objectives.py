"""Auxiliary losses against loops."""

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


def test_clip_temperature_is_clamped():
    head = ClipHead(D)
    words, images = inputs()
    texts = masked_mean(words, MASK)
    for inside, outside in ((0.05, 0.001), (1.0, 30.0)):
        losses = []
        for value in (inside, outside):
            torch.nn.init.constant_(head.temperature, value)
            losses.append(head(texts, images))
        assert torch.allclose(*losses)


def test_released_clip_pools_padding_too():
    words, _ = inputs()
    paper, released = masked_mean(words, MASK), masked_mean(words, torch.ones_like(MASK))
    assert torch.allclose(paper[0], released[0])
    assert not torch.allclose(paper[3], released[3])


def loop(head, words, images):
    t, v = head.text(words), head.image(images)
    terms = []
    for i in range(B):
        own = [j for j in range(L) if MASK[i, j]]
        for j in own:
            over_images = torch.stack([t[i, j] @ v[k] / 0.07 for k in range(B)]).softmax(0)[i]
            over_words = torch.stack([t[i, k] @ v[i] / 0.07 for k in own]).softmax(0)[own.index(j)]
            terms += [over_images, over_words]
    return torch.stack(terms)


def test_lcg_by_loop_and_without_the_log_as_released():
    torch.manual_seed(0)
    paper, released = LcgHead(D, "paper"), LcgHead(D, "released")
    released.load_state_dict(paper.state_dict())
    words, images = inputs()
    shares = loop(paper, words, images)
    assert torch.allclose(paper(words, MASK, images), -shares.log().mean(), atol=1e-5)
    assert torch.allclose(released(words, MASK, images), shares.mean(), atol=1e-5)


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
