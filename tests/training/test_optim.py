"""Groups, schedules and settings against torch's own schedulers, transformers' and a plain count."""

import itertools
import subprocess
import sys
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from compactvl.config.base import validate
from compactvl.errors import UserError
from compactvl.training.optim import AdamW, build_adamw, build_rate

PEAK, WARMUP, TOTAL = 3e-4, 20, 100


class Headed(AdamW):
    groups: ClassVar = ("head",)


def settings(kind=AdamW, **changes):
    return kind(**{"batch": 8, "lr": PEAK, **changes})


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.words = nn.Embedding(7, 4)
        self.norm = nn.LayerNorm(4)
        self.body = nn.Linear(4, 4)
        self.head = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 2))

    def forward(self, x):
        return self.head(self.body(self.norm(self.words(x))))


def theirs(schedule, peak=PEAK, steps=TOTAL):
    """Rates that a scheduler of torch's form gives."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler, rates = schedule(optimiser), []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


# transformers' warm-up begins at 0, ours at 1e-6: after it they must agree.
CURVES = {
    "linear": (
        {"schedule": "linear"},
        lambda o: get_linear_schedule_with_warmup(o, WARMUP, TOTAL),
    ),
    "cosine": (
        {"schedule": "cosine"},
        lambda o: get_cosine_schedule_with_warmup(o, WARMUP, TOTAL),
    ),
    "cosine to a tenth": (
        {"schedule": "cosine", "final": 0.1},
        lambda o: lr_scheduler.SequentialLR(
            o,
            [
                lr_scheduler.ConstantLR(o, factor=1.0, total_iters=WARMUP),
                lr_scheduler.CosineAnnealingLR(o, TOTAL - WARMUP, eta_min=0.1 * PEAK),
            ],
            [WARMUP],
        ),
    ),
    "linear to a tenth": (
        {"schedule": "linear", "final": 0.1},
        lambda o: lr_scheduler.SequentialLR(
            o,
            [
                lr_scheduler.ConstantLR(o, factor=1.0, total_iters=WARMUP),
                lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=TOTAL - WARMUP),
            ],
            [WARMUP],
        ),
    ),
    "epoch_decay": (
        {"schedule": "epoch_decay"},
        lambda o: lr_scheduler.StepLR(o, step_size=15, gamma=0.9),
    ),
    "constant": ({"schedule": "constant"}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
}


@pytest.mark.parametrize("name", CURVES)
def test_schedules_are_those_of_torch_and_transformers(name):
    changes, schedule = CURVES[name]
    rate = build_rate(settings(warmup=WARMUP, **changes), TOTAL, epoch=15)
    ours = [rate(step, PEAK) for step in range(TOTAL)]
    assert ours[WARMUP:] == pytest.approx(theirs(schedule)[WARMUP:], rel=1e-5)
    assert rate(3 * WARMUP, 10 * PEAK) == pytest.approx(10 * ours[3 * WARMUP])


def test_the_warm_up_is_torchs_linear_one():
    rate = build_rate(settings(warmup=WARMUP, schedule="constant"), TOTAL)
    first = 1e-6 / PEAK
    expected = theirs(lambda o: lr_scheduler.LinearLR(o, start_factor=first, total_iters=WARMUP), steps=WARMUP + 5)
    assert [rate(step, PEAK) for step in range(WARMUP + 5)] == pytest.approx(expected, rel=1e-6)
    assert (rate(0, PEAK), rate(WARMUP, PEAK)) == (1e-6, PEAK)


def test_a_warm_up_can_be_a_share_of_all_steps():
    share, steps = (build_rate(settings(warmup=w, schedule="linear"), 250) for w in (0.1, 25))
    assert [share(step, PEAK) for step in range(250)] == [steps(step, PEAK) for step in range(250)]
    at_once = build_rate(settings(warmup=0, schedule="linear"), 250)
    assert at_once(0, PEAK) == PEAK


def test_epochs_decay_to_a_floor():
    rate = build_rate(settings(schedule="epoch_decay"), 10**6, epoch=200)
    assert rate(1000, PEAK) == pytest.approx(PEAK * 0.9**5)
    assert rate(10**6 - 1, PEAK) == 1e-6
    with pytest.raises(ValueError, match="how many steps an epoch has is not known"):
        build_rate(settings(schedule="epoch_decay"), 10**6)


def test_groups_hold_each_trained_parameter_once_in_the_models_order():
    model = Model()
    optimiser = build_adamw(settings(Headed, group_lr={"head": 1e-2}), model, {"head": model.head.parameters()})
    rest = [*model.words.parameters(), *model.norm.parameters(), *model.body.parameters()]
    assert [group["peak"] for group in optimiser.param_groups] == [PEAK, 1e-2]
    for group, expected in zip(optimiser.param_groups, (rest, list(model.head.parameters())), strict=True):
        assert all(one is other for one, other in zip(group["params"], expected, strict=True))
        assert group["weight_decay"] == 0.01


@pytest.mark.parametrize("given", [{}, {"group_lr": {"head": None}}])
def test_a_group_without_a_rate_has_the_common_one(given):
    model = Model()
    optimiser = build_adamw(settings(Headed, **given), model, {"head": model.head.parameters()})
    assert {group["peak"] for group in optimiser.param_groups} == {PEAK}


def decays_of(optimiser, model):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}


def test_biases_and_norms_need_not_decay():
    model = Model()
    chosen = settings(Headed, decay_norms=False, weight_decay=0.3)
    found = decays_of(build_adamw(chosen, model, {"head": model.head.parameters()}), model)
    assert found == {
        "words.weight": 0.3, "norm.weight": 0.0, "norm.bias": 0.0, "body.weight": 0.3, "body.bias": 0.0,
        "head.0.weight": 0.0, "head.0.bias": 0.0, "head.1.weight": 0.3, "head.1.bias": 0.0,
    }  # fmt: skip


def test_a_study_can_say_what_decays():
    """DiDE's release: no bias and no norm of the blocks, but the norms inside its heads."""
    model = Model()

    def decays(name, parameter):
        return not name.endswith("bias") and (parameter.ndim > 1 or name.startswith("head."))

    chosen = settings(Headed, decay_norms=False, weight_decay=0.3)
    found = decays_of(build_adamw(chosen, model, {"head": model.head.parameters()}, decays), model)
    assert {name for name, decay in found.items() if decay} == {
        "words.weight", "body.weight", "head.0.weight", "head.1.weight",
    }  # fmt: skip


def test_a_step_is_torchs_adamw_a_parameter():
    """Each parameter with an AdamW of its own, at its own rate and decay."""
    model, alone = Model(), Model()
    chosen = settings(Headed, group_lr={"head": 1e-2}, decay_norms=False, weight_decay=0.3, betas=(0.8, 0.95), eps=1e-4)
    optimiser = build_adamw(chosen, model, {"head": model.head.parameters()})
    separate = []
    for name, parameter in alone.named_parameters():
        if parameter.requires_grad:
            rate, decay = 1e-2 if name.startswith("head") else PEAK, 0.3 if parameter.ndim > 1 else 0.0
            separate.append(torch.optim.AdamW([parameter], lr=rate, betas=(0.8, 0.95), eps=1e-4, weight_decay=decay))
    for group in optimiser.param_groups:
        group["lr"] = group["peak"]
    for _ in range(5):
        for net, steppers in ((model, [optimiser]), (alone, separate)):
            net.zero_grad()
            net(torch.arange(7)).square().sum().backward()
            for stepper in steppers:
                stepper.step()
    for one, other in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_steps_and_saved_states_are_those_of_torchs_own_to_the_bit():
    def trained(build):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.LayerNorm(7), torch.nn.Linear(7, 1))
        optimiser = build(model)
        for step in range(6):
            if step == 3:
                state, optimiser = optimiser.state_dict(), build(model)
                optimiser.load_state_dict(state)
            optimiser.zero_grad(set_to_none=True)
            model(torch.randn(8, 5)).square().mean().backward()
            optimiser.step()
        return list(model.parameters())

    ours = trained(lambda model: build_adamw(settings(), model))
    theirs = trained(
        lambda model: torch.optim.AdamW(
            model.parameters(), lr=PEAK, weight_decay=settings().weight_decay, eps=settings().eps, fused=True
        )
    )
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_training_does_not_import_torchs_compiler():
    """It takes as long to import as torch itself, and every job that trains would."""
    code = (
        "import sys, torch; from compactvl.training.optim import AdamW, build_adamw; model = torch.nn.Linear(2, 1); "
        "optimiser = build_adamw(AdamW(batch=1, lr=1), model); optimiser.zero_grad(); model(torch.ones(2)).backward(); "
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1); optimiser.step(); "
        "optimiser.load_state_dict(optimiser.state_dict()); sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_groups_and_settings_must_know_each_other():
    model = Model()
    with pytest.raises(ValueError, match=r"parameter groups \['head'\], the settings know \[\]"):
        build_adamw(settings(), model, {"head": model.head.parameters()})
    with pytest.raises(ValueError, match=r"parameter groups \[\], the settings know \['head'\]"):
        build_adamw(settings(Headed), model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group_lr": {"haed": 1.0}}, r"s\.group_lr: no group 'haed'; did you mean \"head\"\?"),
        ({"group_lr": {"head": 0}}, r"s\.group_lr\.head: input should be greater than 0 \(given: 0\)"),
        ({"batch": 10, "accumulate": 4}, r"s: batch 10 is not a multiple of accumulate 4"),
        ({"warmup": -1}, r"s\.warmup"),
        ({"warmup": 1.5}, r"s\.warmup"),
        ({"final": 2}, r"s\.final: input should be less than or equal to 1"),
        ({"schedule": "cosin"}, r"s\.schedule: input should be 'epoch_decay', 'cosine', 'linear' or 'constant'"),
        ({"lr": None}, r"s\.lr"),
        ({"betas": [0.9, 1.0]}, r"s\.betas\.1: input should be less than 1"),
    ],
)
def test_bad_settings_are_told_with_their_place(change, message):
    with pytest.raises(UserError, match=message) as caught:
        validate(Headed, {"batch": 8, "lr": PEAK, **change}, "s")
    assert "\n" not in str(caught.value)


def test_settings_come_back_from_their_file():
    for warmup, accumulate in itertools.product((0, 5, 0.06), (1, 4)):
        chosen = settings(Headed, warmup=warmup, accumulate=accumulate, group_lr={"head": 1e-3})
        again = validate(Headed, chosen.model_dump(mode="json"), "s")
        assert again == chosen
        assert type(again.warmup) is type(warmup)
        assert again.micro_batch == 8 // accumulate
