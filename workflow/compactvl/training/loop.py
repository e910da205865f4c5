"""The training loop: one function between you and the gradient.

A step is a function of (settings, seed, step number): random numbers are drawn from generators made anew for each step, so a
resumed run continues bit for bit.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compactvl.errors import UserError
from compactvl.files import atomic_path
from compactvl.progress import Progress
from compactvl.training.checkpoint import RESUME, read_resume, save_resume

log = logging.getLogger(__name__)
SAVE_EVERY_SECONDS = 60.0
SAVE_VARIABLE = "COMPACTVL_SAVE_SECONDS"
"""Environment variable with another number of seconds between resume states."""
SMOOTHING = 0.95


@dataclass
class State:
    """What a loss function may read and keep between steps; all of it is in the resume state.

    Attributes:
        step: 0-based number of the current step.
        pairs: scored pairs seen so far, positives and negatives.
        memory: numbers a study keeps, e.g. a running accuracy.
    """

    step: int = 0
    pairs: int = 0
    memory: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """One step's loss (scalar tensor), the pairs it scored, and numbers for the log (not every step has all)."""

    loss: Tensor
    pairs: int
    numbers: Mapping[str, float]


def train_loop(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    loss: Callable[[State, np.random.Generator], Outcome],
    *,
    steps: int,
    rate: Callable[[int, Mapping[str, Any]], float],
    seed: int,
    clip: float | None,
    digest: str,
    scratch: Path,
    log_path: Path,
    label: str,
    log_every: int = 10,
    hooks: Mapping[int, Callable[[State], Mapping[str, float]]] | None = None,
    pairs_before: int = 0,
) -> State:
    """Train ``model`` for ``steps`` steps.

    Args:
        model: in training mode on its device.
        optimiser: over the model's parameters.
        loss: computes one step's outcome from the state and that step's own random generator.
        rate: learning rate of (step, parameter group).
        seed: the run's seed.
        clip: largest gradient norm, or ``None``.
        digest: identifies settings and data; resume state of another digest is ignored.
        scratch: folder of the resume state. The last one is of the finished training, so that whatever fails between here
            and the run's manifest costs no training; :func:`compactvl.training.checkpoint.discard_resume` removes it.
        log_path: ``log.jsonl``, written at the end: step, pairs, seconds, loss, and the outcome's numbers.
        label: shown beside the progress.
        log_every: steps between log lines.
        hooks: called after that many steps; what they return goes into the log.
        pairs_before: pairs the starting weights have already seen; the log counts on from them.

    Raises:
        FloatingPointError: the loss is not finite.
        UserError: :data:`SAVE_VARIABLE` is not a number.
    """
    hooks, save_every = hooks or {}, _save_every_seconds()
    resume = scratch / RESUME
    state, lines, spent = State(pairs=pairs_before), [], 0.0
    if (saved := read_resume(resume, digest)) is not None:
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        state = State(saved["step"], saved["pairs"], saved["memory"])
        lines, spent = json.loads(saved["lines"]), saved["seconds"]
        log.info("%s: resumed at step %d of %d", label, state.step, steps)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    begun = saved_at = time.monotonic()
    model.train()
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    with Progress(steps, "step", label) as progress:
        progress.update(state.step)
        while state.step < steps:
            step_seed = np.random.SeedSequence([seed, state.step])
            torch.manual_seed(int(step_seed.generate_state(1, np.uint64)[0] >> 1))
            for group in optimiser.param_groups:
                group["lr"] = rate(state.step, group)
            outcome = loss(state, np.random.default_rng(step_seed))
            value = float(outcome.loss.detach())
            if not np.isfinite(value):
                raise FloatingPointError(f"{label}: loss is {value} at step {state.step}; lower the learning rate")
            optimiser.zero_grad(set_to_none=True)
            outcome.loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(parameters, clip)
            optimiser.step()
            state.step += 1
            state.pairs += outcome.pairs
            for key, number in {"loss": value, **outcome.numbers}.items():
                sums[key], counts[key] = sums.get(key, 0.0) + number, counts.get(key, 0) + 1
            at_end, hook = state.step == steps, hooks.get(state.step)
            seconds = spent + time.monotonic() - begun
            # Means restart at every line, and lines fall on fixed steps, so a resumed log equals an undisturbed one.
            if state.step % log_every == 0 or at_end or hook:
                line = {"step": state.step, "pairs": state.pairs, "seconds": round(seconds, 1)}
                line |= {key: round(total / counts[key], 5) for key, total in sums.items()}
                if state.step % log_every == 0 or at_end:
                    sums, counts = {}, {}
                if hook:
                    model.eval()
                    line |= {key: round(number, 5) for key, number in hook(state).items()}
                    model.train()
                lines.append(line)
            progress.update(1, f"loss {value:.3f}")
            if at_end or (not sums and time.monotonic() - saved_at > save_every):
                save_resume(
                    resume,
                    {
                        "digest": digest,
                        "model": model.state_dict(),
                        "optimiser": optimiser.state_dict(),
                        "step": state.step,
                        "pairs": state.pairs,
                        "memory": state.memory,
                        "lines": json.dumps(lines),
                        "seconds": seconds,
                    },
                )
                saved_at = time.monotonic()
    model.eval()
    with atomic_path(log_path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return state


def _save_every_seconds() -> float:
    value = os.environ.get(SAVE_VARIABLE, SAVE_EVERY_SECONDS)
    try:
        return float(value)
    except ValueError:
        raise UserError(f"{SAVE_VARIABLE} is {value!r}; give a number of seconds, or unset it") from None
