"""What every training of DiDE shares: images prepared ahead by step, the released groups of parameters, the run."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from compactvl.studies.base import Job
from compactvl.studies.dide.build import decays, groups
from compactvl.studies.dide.images import ByStep, Images
from compactvl.studies.dide.model import DualEncoder, FusionEncoder
from compactvl.studies.run import train
from compactvl.training.loop import Loss


def fit(
    job: Job,
    model: FusionEncoder | DualEncoder,
    images: Images,
    ids_of: Callable[[int], Sequence[str]],
    loss: Callable[[ByStep], Loss],
    **options: Any,
) -> None:
    """Train a model and write its run.

    Args:
        ids_of: ids of a micro-batch's images, by its number alone: they are prepared before its losses are asked for.
        loss: given the images by micro-batch, computes its losses. options: see :func:`compactvl.studies.run.train`.
    """
    optimiser = job.settings.optimiser
    with ExitStack() as exits:
        by_step = images.training(ids_of, optimiser.steps * optimiser.accumulate, job.seed, exits)
        shared = {"steps": optimiser.steps, "groups": groups(model), "decays": decays, **images.facts}
        train(job, model, optimiser, loss(by_step), **shared, **options)
