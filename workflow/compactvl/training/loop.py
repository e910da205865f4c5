"""The training loop: one function between you and the gradient.

A step is a function of (settings, seed, step number): random numbers are drawn from generators made anew for each step, so a
resumed run continues bit for bit.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from compactvl.errors import UserError
from compactvl.progress import Progress
from compactvl.training.checkpoint import RESUME, read_resume, save_resume
from compactvl.training.determinism import seed_torch

log = logging.getLogger(__name__)
SAVE_EVERY_SECONDS = 60.0
SAVE_VARIABLE = "COMPACTVL_SAVE_SECONDS"
"""Environment variable with another number of seconds between resume states."""


@dataclass
class State:
    """What a loss function may read and keep between steps; all of it is in the resume state.

    Attributes:
        step: 0-based number of the current step.
        part: 0-based number of the step's current micro-batch.
        seen: what was trained on so far: scored pairs, texts, images, as the study counts them.
        lines: the log so far: step, seen, seconds, loss, and the numbers of outcomes and hooks.
        best: step and value of the best validation so far, where the best weights are kept.
    """

    step: int = 0
    part: int = 0
    seen: int = 0
    lines: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] | None = None

    def micro_batch(self, accumulate: int) -> int:
        """Return the 0-based number of the current micro-batch of all, of which ``accumulate`` are a step."""
        return self.step * accumulate + self.part


@dataclass(frozen=True)
class Outcome:
    """A micro-batch's mean loss (scalar tensor), what was trained on, and numbers for the log (not every one has all)."""

    loss: Tensor
    seen: int
    numbers: Mapping[str, float]


Loss = Callable[[State, np.random.Generator], Outcome]
Hook = Callable[[State], Mapping[str, float]]
Hooks = Mapping[int, Hook]


def evenly(times: int, steps: int, hook: Hook) -> Hooks:
    """Call a hook so many times in ``steps`` steps, at even distances, the last time at the end; 0: never."""
    return dict.fromkeys((round(steps * (k + 1) / times) for k in range(times)), hook)


def train_loop(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    loss: Loss,
    *,
    steps: int,
    rate: Callable[[int, float], float],
    seed: int,
    clip: float | None,
    digest: str,
    scratch: Path,
    label: str,
    accumulate: int = 1,
    log_every: int = 10,
    hooks: Hooks | None = None,
    best: str | None = None,
    seen_before: int = 0,
) -> State:
    """Train ``model`` for ``steps`` steps; it ends in evaluation mode.

    Args:
        model: on its device.
        optimiser: over the model's parameters; each group has its peak rate as ``peak``.
        loss: computes one micro-batch's outcome from the state and that micro-batch's own random generator.
        rate: learning rate of (step, peak rate).
        seed: the run's seed.
        clip: largest norm of a step's gradient, or ``None``.
        digest: identifies settings and data; resume state of another digest is ignored.
        scratch: folder of the resume state. The last one is of the finished training, so that whatever fails between here
            and the run's manifest costs no training; :func:`compactvl.training.checkpoint.discard_resume` removes it.
        label: shown beside the progress.
        accumulate: micro-batches a step; the step takes the mean of their gradients.
        log_every: steps between log lines.
        hooks: called after that many steps, in evaluation mode; what they return goes into the log.
        best: a hook's number: the model ends with the weights of the hook that gave the largest, the first of equals.
        seen_before: what the starting weights were already trained on; the state counts on from there.

    Raises:
        FloatingPointError: the loss is not finite.
        UserError: :data:`SAVE_VARIABLE` is not a number.
    """
    hooks, save_every = hooks or {}, _save_every_seconds()
    resume = scratch / RESUME
    state, spent, best_weights = State(seen=seen_before), 0.0, {}
    if (saved := read_resume(resume, digest)) is not None:
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        state, spent, best_weights = State(**json.loads(saved["state"])), saved["seconds"], saved["best_weights"]
        log.info("%s: resumed at step %d of %d", label, state.step, steps)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    begun = saved_at = time.monotonic()
    model.train()
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    with Progress(steps, "step", label) as progress:
        progress.update(state.step)
        while state.step < steps:
            for group in optimiser.param_groups:
                group["lr"] = rate(state.step, group["peak"])
            optimiser.zero_grad(set_to_none=True)
            for state.part in range(accumulate):
                # A trailing 0 does not change a SeedSequence: (seed, step) is also the first micro-batch's.
                own_seed = np.random.SeedSequence([seed, state.step, state.part])
                seed_torch(int(own_seed.generate_state(1, np.uint64)[0] >> 1))
                outcome = loss(state, np.random.default_rng(own_seed))
                value = float(outcome.loss.detach())
                if not np.isfinite(value):
                    raise FloatingPointError(f"{label}: loss is {value} at step {state.step}; lower the learning rate")
                (outcome.loss / accumulate).backward()
                state.seen += outcome.seen
                for key, number in {"loss": value, **outcome.numbers}.items():
                    sums[key], counts[key] = sums.get(key, 0.0) + number, counts.get(key, 0) + 1
            if clip is not None:
                nn.utils.clip_grad_norm_(parameters, clip)
            optimiser.step()
            state.step += 1
            at_end, hook = state.step == steps, hooks.get(state.step)
            seconds = spent + time.monotonic() - begun
            # Means restart at every line, and lines fall on fixed steps, so a resumed log equals an undisturbed one.
            if state.step % log_every == 0 or at_end or hook:
                line = {"step": state.step, "seen": state.seen, "seconds": round(seconds, 1)}
                line |= {key: round(total / counts[key], 5) for key, total in sums.items()}
                if state.step % log_every == 0 or at_end:
                    sums, counts = {}, {}
                if hook:
                    model.eval()
                    measured = hook(state)
                    model.train()
                    line |= {key: round(number, 5) for key, number in measured.items()}
                    if best and measured[best] > (state.best or {best: -np.inf})[best]:
                        state.best = {"step": state.step, best: measured[best]}
                        best_weights = {key: tensor.cpu().clone() for key, tensor in model.state_dict().items()}
                state.lines.append(line)
            progress.update(1, f"loss {value:.3f}")
            if at_end or (not sums and time.monotonic() - saved_at > save_every):
                save_resume(
                    resume,
                    {
                        "digest": digest,
                        "model": model.state_dict(),
                        "optimiser": optimiser.state_dict(),
                        "state": json.dumps(asdict(state)),
                        "seconds": seconds,
                        "best_weights": best_weights,
                    },
                )
                saved_at = time.monotonic()
    if best:
        if state.best is None:
            raise FloatingPointError(f"{label}: no validation gave a number as {best}; lower the learning rate")
        model.load_state_dict(best_weights)
    model.eval()
    return state


def _save_every_seconds() -> float:
    value = os.environ.get(SAVE_VARIABLE, SAVE_EVERY_SECONDS)
    try:
        return float(value)
    except ValueError:
        raise UserError(f"{SAVE_VARIABLE} is {value!r}; give a number of seconds, or unset it") from None
