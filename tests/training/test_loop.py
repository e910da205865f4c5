import hashlib
import json
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from compactvl.errors import UserError
from compactvl.training import loop
from compactvl.training.checkpoint import RESUME, discard_resume, read_resume, save_resume
from compactvl.training.loop import Outcome, train_loop

MARKS = (8, 17, 25, 36)


class Interrupted(Exception):
    pass


def build(seed=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))


def run(
    tmp_path,
    name,
    *,
    stop_at=None,
    stop_in=0,
    stop_hook=None,
    steps=40,
    log_every=10,
    best=None,
    values=None,
    **options,
):
    """Train a small model; returns it and the state. ``values``: what the hook measures at :data:`MARKS`."""
    model = build()
    optimiser = torch.optim.AdamW([{"params": list(model.parameters()), "peak": 1e-2}])
    hooked = {}

    def loss(state, rng):
        if (state.step, state.part) == (stop_at, stop_in % options.get("accumulate", 1)):
            raise Interrupted
        x = torch.from_numpy(rng.normal(size=(16, 4)).astype(np.float32))
        value = (model(x).squeeze(1) - x.sum(1)).square().mean()
        return Outcome(value, 16, {"average": float(x.mean())})

    def hook(state):
        assert not model.training
        if state.step == stop_hook:
            raise Interrupted
        hooked[state.step] = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        value = model(torch.ones(1, 4)).item() if values is None else values[MARKS.index(state.step)]
        return {"measured": value, "by_then": float(state.seen)}

    state = train_loop(
        model,
        optimiser,
        loss,
        steps=steps,
        rate=lambda step, peak: peak / (1 + step),
        seed=5,
        clip=1.0,
        digest="a",
        scratch=tmp_path / "scratch" / name,
        label=name,
        log_every=log_every,
        hooks=dict.fromkeys(MARKS, hook),
        best=best,
        **options,
    )
    return model, state, hooked


def lines(state):
    return [{key: value for key, value in line.items() if key != "seconds"} for line in state.lines]


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("accumulate", "best"), [(1, None), (3, "measured")])
@pytest.mark.parametrize(
    ("log_every", "stops"),
    [
        (10, [{"stop_at": 33}]),
        (10, [{"stop_at": 5}]),
        # Measured at 25, and the last state is of 20.
        (10, [{"stop_at": 26}]),
        (10, [{"stop_hook": 25}]),
        (10, [{"stop_at": 22, "stop_in": -1}]),
        (1, [{"stop_at": 18}, {"stop_at": 19}, {"stop_hook": 36}]),
    ],
    ids=["late", "before a save", "between validation and save", "in a validation", "in a step", "three times"],
)
def test_resumed_training_equals_undisturbed_training_to_the_bit(
    tmp_path, monkeypatch, accumulate, best, log_every, stops
):
    train = partial(run, tmp_path, accumulate=accumulate, best=best, log_every=log_every)
    whole, state, _ = train("whole")
    monkeypatch.setattr(loop, "SAVE_EVERY_SECONDS", -1.0)
    for stop in stops:
        with pytest.raises(Interrupted):
            train("resumed", **stop)
        saved = read_resume(tmp_path / "scratch" / "resumed" / RESUME, "a")
        done = stop.get("stop_at", stop.get("stop_hook", 0) - 1) // log_every * log_every
        assert (0 if saved is None else json.loads(saved["state"])["step"]) == done
    resumed, after, _ = train("resumed")
    assert same_weights(whole, resumed)
    assert lines(state) == lines(after)
    assert (state.step, state.seen, state.best) == (after.step, after.seen, after.best)


def test_accumulated_steps_are_those_of_a_plain_loop(tmp_path):
    """Micro-batches of their own generators, the mean of their gradients, one clipping, one step."""
    model, state, _ = run(tmp_path, "run", accumulate=3, steps=12)
    expected = build()
    optimiser = torch.optim.AdamW(expected.parameters(), lr=1e-2)
    for step in range(12):
        optimiser.param_groups[0]["lr"] = 1e-2 / (1 + step)
        total = 0.0
        for part in range(3):
            own = np.random.SeedSequence([5, step, part])
            torch.manual_seed(int(own.generate_state(1, np.uint64)[0] >> 1))
            x = torch.from_numpy(np.random.default_rng(own).normal(size=(16, 4)).astype(np.float32))
            total = total + (expected(x).squeeze(1) - x.sum(1)).square().mean()
        optimiser.zero_grad()
        (total / 3).backward()
        norm = torch.cat([p.grad.flatten() for p in expected.parameters()]).norm()
        for parameter in expected.parameters():
            parameter.grad *= min(1.0, 1.0 / (float(norm) + 1e-6))
        optimiser.step()
    for one, other in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    assert state.seen == 12 * 3 * 16


def test_the_first_micro_batch_draws_what_a_whole_step_draws():
    whole, first = (np.random.SeedSequence(entropy) for entropy in ([5, 7], [5, 7, 0]))
    assert whole.generate_state(8).tolist() == first.generate_state(8).tolist()
    assert np.random.default_rng(whole).random(4).tolist() == np.random.default_rng(first).random(4).tolist()


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ((0.2, 0.5, 0.5, 0.1), 17),
        ((0.1, 0.2, 0.3, 0.4), 36),
        ((3.0, 2.0, 1.0, 0.0), 8),
        ((float("nan"), -1, -2, -3), 17),
    ],
)
def test_the_best_weights_are_kept_the_first_of_equals(tmp_path, values, step):
    model, state, hooked = run(tmp_path, "run", best="measured", values=values)
    assert state.best == {"step": step, "measured": values[MARKS.index(step)]}
    assert state.step == 40
    assert all(torch.equal(tensor, hooked[step][key]) for key, tensor in model.state_dict().items())
    last, _, _ = run(tmp_path, "last", values=values)
    assert not same_weights(model, last)


def test_a_best_that_was_never_measured_is_an_error(tmp_path):
    with pytest.raises(FloatingPointError, match="no validation gave a number as measured"):
        run(tmp_path, "nan", best="measured", values=[float("nan")] * 4)
    with pytest.raises(KeyError, match="other"):
        run(tmp_path, "other", best="other")


def test_what_fails_after_training_costs_no_training(tmp_path):
    first, state, _ = run(tmp_path, "run", best="measured")
    # Nobody wrote the run's manifest, so the state is still there: the next one must not take a step.
    again, after, hooked = run(tmp_path, "run", best="measured", stop_at=0)
    assert same_weights(first, again)
    assert (state.lines, state.best) == (after.lines, after.best)
    assert not hooked
    discard_resume(tmp_path / "scratch" / "run")
    with pytest.raises(Interrupted):
        run(tmp_path, "run", stop_at=0)


def test_log_has_a_line_every_few_steps_and_one_a_hook(tmp_path):
    _, state, _ = run(tmp_path, "log", accumulate=2, seen_before=1000)
    got = lines(state)
    assert [line["step"] for line in got] == [8, 10, 17, 20, 25, 30, 36, 40]
    assert [line["seen"] for line in got] == [1000 + 2 * 16 * line["step"] for line in got]
    assert got[4]["by_then"] == 1000 + 25 * 2 * 16
    assert {"loss", "average", "measured"} <= got[4].keys()


def test_resume_state_of_other_settings_or_a_broken_file_is_not_used(tmp_path, caplog):
    path = tmp_path / "resume.pt"
    numbers = torch.arange(1000.0)
    save_resume(path, {"digest": "a", "step": 1, "model": numbers})
    assert read_resume(path, "b") is None
    assert torch.equal(read_resume(path, "a")["model"], numbers)
    whole = path.read_bytes()
    inside = whole.index(numbers[500:510].numpy().tobytes())
    flipped = whole[:inside] + bytes([whole[inside] ^ 1]) + whole[inside + 1 :]
    no_state = b"not a state of torch's"
    signed = no_state + hashlib.sha256(no_state).digest()
    for damaged in (whole[:40], whole[:-1], flipped, b"", signed):
        path.write_bytes(damaged)
        caplog.clear()
        assert read_resume(path, "a") is None
        assert "resume.pt is damaged and not used: training begins anew" in caplog.text


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    model = nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match="step 0; lower the learning rate"):
        train_loop(
            model,
            torch.optim.SGD([{"params": list(model.parameters()), "peak": 1.0}]),
            lambda state, rng: Outcome(model.weight.sum() * float("nan"), 1, {}),
            steps=1,
            rate=lambda step, peak: peak,
            seed=0,
            clip=None,
            digest="",
            scratch=tmp_path / "s",
            label="x",
        )


def test_how_often_the_state_is_saved_is_a_setting_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv(loop.SAVE_VARIABLE, "0")
    with pytest.raises(Interrupted):
        run(tmp_path, "often", stop_at=33)
    assert '"step": 30' in read_resume(tmp_path / "scratch" / "often" / RESUME, "a")["state"]
    monkeypatch.setenv(loop.SAVE_VARIABLE, "soon")
    with pytest.raises(UserError, match="COMPACTVL_SAVE_SECONDS is 'soon'"):
        run(tmp_path, "soon")
