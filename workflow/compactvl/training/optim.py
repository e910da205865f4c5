"""AdamW by settings: parameter groups, weight decay, the learning rate of each step. Imports torch where it is used."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from compactvl.config.base import Strict, did_you_mean

if TYPE_CHECKING:
    import torch
    from torch import nn

LOWEST, EPOCH_FACTOR = 1e-6, 0.9
"""Where a warm-up begins and the epochs' decay ends; what an epoch multiplies the rate with (EDJE, released recipe)."""

# A study's recipe is a subclass that says its paper's values; the descriptions go along with the types.
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Batch = Annotated[int, Field(ge=1, description="Items an optimiser step: pairs, texts, images with their questions.")]
Peak = Annotated[float, Field(gt=0, description="Peak learning rate.")]
Decay = Annotated[float, Field(ge=0, description="Decoupled weight decay.")]
WarmUp = Annotated[
    Annotated[int, Field(ge=0)] | Annotated[float, Field(gt=0, lt=1)],
    Field(description="Steps, or the share of all steps, in which the rate rises linearly."),
]
Final = Annotated[float, Field(ge=0, le=1, description="Share of the peak rate at the end of `cosine` and `linear`.")]
Clip = Annotated[Rate | None, Field(description="Largest gradient norm; null does not clip.")]
ScheduleName = Annotated[
    Literal["epoch_decay", "cosine", "linear", "constant"],
    Field(description="The rate after the warm-up; `epoch_decay`: ×0.9 an epoch, never below 1e-6."),
]


class AdamW(Strict):
    """AdamW (Loshchilov and Hutter 2019) and how a step is made.

    Attributes:
        groups: names of the parameter groups that can have a peak rate of their own.
    """

    groups: ClassVar[tuple[str, ...]] = ()

    batch: Batch
    accumulate: Count = Field(
        default=1,
        description="Micro-batches a step, of `batch / accumulate` items each: their gradients' mean, in less memory.",
    )
    lr: Peak
    group_lr: dict[str, Rate | None] = Field(
        default={}, description="Peak rates of named groups of parameters; null or not named: `lr`."
    )
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    eps: Rate = 1e-8
    weight_decay: Decay = 0.01
    decay_norms: bool = Field(default=True, description="Whether biases and norms decay like all other weights.")
    warmup: WarmUp = 0
    schedule: ScheduleName = "linear"
    final: Final = 0.0
    clip: Clip = None

    @field_validator("group_lr")
    @classmethod
    def _groups_are_there(cls, rates: dict[str, float | None]) -> dict[str, float | None]:
        for name in rates:
            if name not in cls.groups:
                raise ValueError(f"no group {name!r}{did_you_mean(name, cls.groups)}")
        return {name: rate for name, rate in rates.items() if rate is not None}

    @model_validator(mode="after")
    def _micro_batches_are_equal(self) -> "AdamW":
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} is not a multiple of accumulate {self.accumulate}")
        return self

    @property
    def micro_batch(self) -> int:
        """Items that are computed at once."""
        return self.batch // self.accumulate


def is_matrix(name: str, parameter: "nn.Parameter") -> bool:
    """Whether a parameter is neither a bias nor of a norm: it has two dimensions or more."""
    return parameter.ndim > 1


def build_adamw(
    settings: AdamW,
    model: "nn.Module",
    groups: Mapping[str, Iterable["nn.Parameter"]] | None = None,
    decays: Callable[[str, "nn.Parameter"], bool] = is_matrix,
) -> "torch.optim.AdamW":
    """Return AdamW over the trained parameters of a model, already on its device.

    Args:
        groups: parameters by name of ``settings.groups``; all others come first, as a group of the rate ``lr``.
        decays: with ``decay_norms: false``, whether a parameter (its name in the model, itself) decays.

    Returns:
        Its groups have a key ``peak``, their peak rate; each keeps the order of the model's parameters.
    """
    groups = groups or {}
    if groups.keys() != set(settings.groups):
        raise ValueError(f"parameter groups {sorted(groups)}, the settings know {sorted(settings.groups)}")
    group_of = {id(parameter): name for name, members in groups.items() for parameter in members}
    parts: dict[tuple[str, bool], list[nn.Parameter]] = {
        (name, decayed): [] for name in ("", *groups) for decayed in (True, False)
    }
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decayed = settings.decay_norms or decays(name, parameter)
            parts[group_of.get(id(parameter), ""), decayed].append(parameter)
    return _uncompiled_adamw()(
        [
            {
                "params": members,
                "peak": settings.group_lr.get(name) or settings.lr,
                "weight_decay": settings.weight_decay if decayed else 0.0,
            }
            for (name, decayed), members in parts.items()
            if members
        ],
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.eps,
        fused=True,
    )


def _uncompiled_adamw() -> "type[torch.optim.AdamW]":
    """Return AdamW without the wrappers that keep torch's compiler off it.

    They import that compiler, which takes as long as torch itself, in every job that trains.
    """
    import torch

    class Uncompiled(torch.optim.AdamW):
        step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
        add_param_group, zero_grad, state_dict, load_state_dict = (
            inspect.unwrap(getattr(torch.optim.AdamW, name))
            for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
        )

    return Uncompiled


def build_rate(settings: AdamW, total: int, epoch: int | None = None) -> Callable[[int, float], float]:
    """Return the schedule: (0-based step, peak rate) → rate.

    Args:
        total: steps of the training. epoch: steps an epoch, for ``epoch_decay``.
    """
    if settings.schedule == "epoch_decay" and epoch is None:
        raise ValueError("schedule epoch_decay: how many steps an epoch has is not known")
    warmup = settings.warmup if isinstance(settings.warmup, int) else round(settings.warmup * total)
    final = settings.final

    def rate(step: int, peak: float) -> float:
        done = min(1.0, max(0.0, (step - warmup) / max(1, total - warmup)))
        if settings.schedule == "epoch_decay":
            peak = max(peak * EPOCH_FACTOR ** (step // epoch), LOWEST)
        elif settings.schedule == "cosine":
            peak = peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done)))
        elif settings.schedule == "linear":
            peak = peak * (final + (1 - final) * (1 - done))
        return peak if step >= warmup else LOWEST + (peak - LOWEST) * step / warmup

    return rate
