import hashlib
import json

import numpy as np
import pytest
import torch
from torch import nn

from compactvl.errors import UserError
from compactvl.training import loop
from compactvl.training.checkpoint import RESUME, discard_resume, read_resume, save_resume
from compactvl.training.loop import Outcome, train_loop


class Interrupted(Exception):
    pass


def run(tmp_path, name, *, stop_at=None, steps=40, log_every=10):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def loss(state, rng):
        if state.step == stop_at:
            raise Interrupted
        x = torch.from_numpy(rng.normal(size=(16, 4)).astype(np.float32))
        state.memory["average"] = 0.9 * state.memory.get("average", 0.0) + 0.1 * float(x.mean())
        value = (model(x).squeeze(1) - x.sum(1)).square().mean()
        return Outcome(value, 16, {"average": state.memory["average"]})

    train_loop(
        model,
        optimiser,
        loss,
        steps=steps,
        rate=lambda step, group: 1e-2 / (1 + step),
        seed=5,
        clip=1.0,
        digest="a",
        scratch=tmp_path / "scratch" / name,
        log_path=tmp_path / f"{name}.jsonl",
        label=name,
        log_every=log_every,
        hooks={25: lambda state: {"seen": float(state.pairs)}},
    )
    return model


def lines(path):
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in path.read_text().splitlines()]


def test_resumed_training_equals_undisturbed_training_to_the_bit(tmp_path, monkeypatch):
    whole = run(tmp_path, "whole")
    monkeypatch.setattr(loop, "SAVE_EVERY_SECONDS", 0.0)
    with pytest.raises(Interrupted):
        run(tmp_path, "resumed", stop_at=33)
    assert read_resume(tmp_path / "scratch" / "resumed" / RESUME, "a")["step"] == 30
    assert not (tmp_path / "resumed.jsonl").exists()
    resumed = run(tmp_path, "resumed")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    assert lines(tmp_path / "whole.jsonl") == lines(tmp_path / "resumed.jsonl")


def test_what_fails_after_training_costs_no_training(tmp_path):
    first = run(tmp_path, "run")
    (tmp_path / "run.jsonl").rename(tmp_path / "first.jsonl")
    # Nobody wrote the run's manifest, so the state is still there: the next one must not take a step.
    again = run(tmp_path, "run", stop_at=0)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (tmp_path / "run.jsonl").read_bytes() == (tmp_path / "first.jsonl").read_bytes()
    discard_resume(tmp_path / "scratch" / "run")
    with pytest.raises(Interrupted):
        run(tmp_path, "run", stop_at=0)


def test_log_has_a_line_every_few_steps_and_one_a_hook(tmp_path):
    run(tmp_path, "log")
    got = lines(tmp_path / "log.jsonl")
    assert [line["step"] for line in got] == [10, 20, 25, 30, 40]
    assert got[2]["seen"] == 25 * 16
    assert got[-1]["pairs"] == 40 * 16


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
            torch.optim.SGD(model.parameters(), lr=1.0),
            lambda state, rng: Outcome(model.weight.sum() * float("nan"), 1, {}),
            steps=1,
            rate=lambda step, group: 1.0,
            seed=0,
            clip=None,
            digest="",
            scratch=tmp_path / "s",
            log_path=tmp_path / "l.jsonl",
            label="x",
        )


def test_how_often_the_state_is_saved_is_a_setting_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv(loop.SAVE_VARIABLE, "0")
    with pytest.raises(Interrupted):
        run(tmp_path, "often", stop_at=33)
    assert read_resume(tmp_path / "scratch" / "often" / RESUME, "a")["step"] == 30
    monkeypatch.setenv(loop.SAVE_VARIABLE, "soon")
    with pytest.raises(UserError, match="COMPACTVL_SAVE_SECONDS is 'soon'"):
        run(tmp_path, "soon")
