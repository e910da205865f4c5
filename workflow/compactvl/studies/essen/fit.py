"""What every training of ESsEN shares: pixels prepared ahead by step, groups of parameters, the run."""

from collections.abc import Callable, Sequence

from torch import Tensor

from compactvl.nn.compute import compute_device
from compactvl.studies.base import Job
from compactvl.studies.essen.model import Model
from compactvl.studies.essen.runs import groups
from compactvl.studies.pieces import copy_tokenizer
from compactvl.studies.run import train
from compactvl.training.loop import Hooks, Loss
from compactvl.vision.pixels import PixelLoader, Shown

BEST = "val_score"


def fit(
    job: Job,
    model: Model,
    shown: Callable[[int], Sequence[Shown]],
    loss: Callable[[Callable[[int], Tensor]], Loss],
    hooks: Hooks | None = None,
) -> None:
    """Train a model and write its run.

    Args:
        shown: images, or parts of them, of a micro-batch by its number alone: they are prepared before its losses are asked for.
        loss: given the pixels by micro-batch, (images, 3, S, S), computes its losses.
        hooks: validations, by step; the best weights are kept.
    """
    settings = job.settings
    optimiser, dataset = settings.optimiser, job.dataset(settings.images_from)
    with PixelLoader(dataset, settings.pixels, shown, optimiser.steps * optimiser.accumulate, job.seed) as batch:
        train(
            job,
            model,
            optimiser,
            loss(lambda number: batch(number).to(compute_device()).pixels),
            steps=optimiser.steps,
            groups=groups(model),
            hooks=hooks,
            best=BEST if hooks else None,
            files=[copy_tokenizer(job, settings.tokenizer)],
        )
