"""AdamW with the paper's groups and schedule."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from compactvl.studies.edje.settings import Optimiser
from compactvl.training.schedule import cosine, epoch_decay, warm_up


def build_optimiser(settings: Optimiser, model: nn.Module, adapter: Iterable[nn.Parameter] = ()) -> torch.optim.AdamW:
    """AdamW over all trained parameters; the adapter's form a group with their own peak rate (key ``peak``)."""
    adapter = {id(p): p for p in adapter}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in adapter]
    groups = [{"params": rest, "peak": settings.lr}]
    if adapter:
        groups.append({"params": list(adapter.values()), "peak": settings.adapter_lr or settings.lr})
    return torch.optim.AdamW(
        groups, lr=settings.lr, weight_decay=settings.weight_decay, betas=settings.betas, fused=True
    )


def build_schedule(settings: Optimiser, images: int) -> Callable[[int, Mapping[str, Any]], float]:
    """Return rate(step, group) for a training set of ``images`` images (an epoch: each image once)."""
    epoch = max(1, images // settings.batch)

    def rate(step: int, group: Mapping[str, Any]) -> float:
        if settings.schedule == "cosine":
            return cosine(step, peak=group["peak"], warmup=settings.warmup_steps, total=settings.steps)
        if settings.schedule == "constant":
            return warm_up(step, settings.warmup_steps, group["peak"])
        return epoch_decay(step, peak=group["peak"], warmup=settings.warmup_steps, epoch=epoch)

    return rate
