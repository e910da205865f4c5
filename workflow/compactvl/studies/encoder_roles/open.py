"""A trained subset as a suite asks it, whole or with encoders masked."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compactvl.errors import UserError
from compactvl.evaluation.answers import answers_of
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.nn.compute import autocast, compute_device
from compactvl.records.record import read_manifest
from compactvl.studies.base import Job
from compactvl.studies.encoder_roles.data import Texts, batch_of, images_and_places, open_stores, read_tokens
from compactvl.studies.encoder_roles.model import RolesModel, mask_features
from compactvl.studies.encoder_roles.settings import Subset
from compactvl.studies.run import read_settings
from compactvl.training.checkpoint import load_model, read_state
from compactvl.vision.identity import check_encoder

BLOCK = 512
"""Questions that are read at a time."""


class SuiteRun:
    """A run that answers the questions of the data sets it was trained on.

    What its adapters give of an image is computed once, whatever is masked afterwards.
    """

    def __init__(self, job: Job) -> None:
        self._job, self._model = job, open_run(job.run)
        self.encoders, self.device = list(self._model.settings.encoders), self._model.device
        self._trained = read_manifest(job.run, "train")["answers"]
        self._features: dict[str, tuple[list[str], Tensor | None]] = {}
        self._texts = lru_cache(partial(Texts, job))

    def logits(self, dataset: str, items: pd.DataFrame) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.SuiteModel`."""
        return self._logits(dataset, items, lambda features: features)

    def masked(self, kept: Sequence[str], fill: str) -> "MaskedRun":
        """See :class:`compactvl.evaluation.abilities.MaskableModel`."""
        return MaskedRun(
            lambda dataset, items: self._logits(
                dataset, items, lambda features: mask_features(self._model, features, kept, fill)
            )
        )

    @torch.inference_mode()
    def _logits(self, dataset: str, items: pd.DataFrame, change: Callable[[Tensor], Tensor]) -> np.ndarray:
        model, images = self._model, images_and_places(items)
        questions, found = self._texts(dataset)(items["question"].tolist()), []
        with autocast(model.device, model.settings.precision):
            features = self._features_of(dataset, images[0])
            tokens = model.project(None if features is None else change(features))
            for start in range(0, len(items), BLOCK):
                place = torch.from_numpy(images[1][start : start + BLOCK]).to(model.device)
                asked = batch_of(questions[start : start + BLOCK])
                found.append(model.heads[dataset](model.reader(asked, tokens, place)).float().cpu())
        return torch.cat(found).numpy()

    def _features_of(self, dataset: str, images: list[str]) -> Tensor | None:
        known = self._features.get(dataset)
        if known is None or known[0] != images:
            known = self._features[dataset] = images, self._compute(dataset, images)
        return known[1]

    def _compute(self, dataset: str, images: list[str]) -> Tensor | None:
        model, stores = self._model, open_stores(self._job, dataset)
        self._check_answers(dataset)
        for store in stores.values():
            check_encoder(store, self._job.run)
        return model.features(
            {
                name: model.whiteners[name](read_tokens(store, model.settings, name, images).to(model.device))
                for name, store in stores.items()
            }
        )

    def _check_answers(self, dataset: str) -> None:
        if self._trained.get(dataset) != answers_of(self._job.dataset(dataset)):
            raise UserError(
                f"{self._job.run} was trained on other answers than data set {dataset!r} now lists; train it again"
            )


class MaskedRun:
    """The same run without some of its encoders."""

    def __init__(self, logits: Callable[[str, pd.DataFrame], np.ndarray]) -> None:
        self.logits = logits


def open_suite(job: Job, benchmark: BenchmarkKind) -> SuiteRun:
    """Open a subset's run for a suite, or for masking."""
    return SuiteRun(job)


def open_run(run: str | Path) -> RolesModel:
    """Load the model of a finished run, in evaluation mode, on the compute device.

    Raises:
        UserError: the run is missing, unfinished, corrupt, or of another kind of variant.
    """
    model = RolesModel(read_settings(run, Subset))
    load_model(model, run, read_state(run))
    return model.eval().requires_grad_(False).to(compute_device())
