"""Training a subset's model on all data sets of questions together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from compactvl.nn.compute import autocast, compute_device
from compactvl.records.layout import Layout
from compactvl.studies.base import Job
from compactvl.studies.encoder_roles.data import Asked, batch_of, joined, open_asked, open_stores, read_tokens
from compactvl.studies.encoder_roles.effective_rank import rank_of_tokens
from compactvl.studies.encoder_roles.model import AttentionReader, LanguageReader, RolesModel
from compactvl.studies.encoder_roles.settings import Subset
from compactvl.studies.run import train
from compactvl.text.sentences import load_bert
from compactvl.training.loop import Outcome, State
from compactvl.vision.identity import encoder_of

Tokens = Mapping[str, Mapping[str, Tensor]]
"""Data set → encoder → tokens of its images, (n, places, d_e)."""


@dataclass(frozen=True)
class World:
    """What training reads, the same for every seed.

    Attributes:
        asked: data set → its training questions. answers: data set → its list of answers.
        tokens: of the training images. held_out: encoder → tokens (n, places, d_e) of some validation images, for the ranks.
        encoders: whose tokens they are. fitted: weights of the whiteners that a seed has fitted.
    """

    asked: Mapping[str, Asked]
    answers: Mapping[str, list[str]]
    tokens: Tokens
    held_out: Mapping[str, Tensor]
    encoders: Mapping[str, Mapping[str, str]]
    fitted: dict[str, dict[str, Tensor]] = field(default_factory=dict)


def train_subset(job: Job) -> None:
    """Train a subset of the encoders and write its run."""
    settings, world = job.settings, open_world(job.layout, job.settings.model_dump_json())
    torch.manual_seed(job.seed)
    model = RolesModel(settings)
    begin(job, model, world)
    model.to(compute_device())
    tokens, held_out = whitened(model, world.tokens), whitened(model, {"": world.held_out})[""]
    ranks = {"input": ranks_of(held_out), "before": ranks_of(adapted(model, held_out))}

    def finish(trained: RolesModel) -> list[str]:
        if trained.projector is not None:
            with torch.no_grad():
                features = [trained.features(own).sum(0) for own in tokens.values()]
            trained.mean_features.copy_(
                torch.stack(features).sum(0) / sum(len(one.images) for one in world.asked.values())
            )
        ranks["after"] = ranks_of(adapted(trained, held_out))
        return []

    train(
        job,
        model,
        settings.optimiser,
        Trainer(model, world.asked, tokens).loss,
        steps=settings.optimiser.steps,
        files=finish,
        answers=world.answers,
        encoders=world.encoders,
        ranks=ranks,
    )


@lru_cache(maxsize=1)
def open_world(layout: Layout, settings: str) -> World:
    """Read what training reads, once for the seeds that a job trains; settings as JSON."""
    job = Job("", "", 0, Subset.model_validate_json(settings), layout, Path())
    sets, each = job.settings.sets, job.settings.rank_images // len(job.settings.sets)
    opened = {name: open_asked(job, name, "train") for name in sets}
    stores = {name: open_stores(job, name) for name in sets}

    def read(name: str, images: Sequence[str]) -> dict[str, Tensor]:
        return {one: read_tokens(store, job.settings, one, images) for one, store in stores[name].items()}

    held_out = [read(name, open_asked(job, name, "val")[0].images[:each]) for name in sets] if each else []
    return World(
        {name: asked for name, (asked, _) in opened.items()},
        {name: answers for name, (_, answers) in opened.items()},
        {name: read(name, asked.images) for name, (asked, _) in opened.items()},
        {one: torch.cat([own[one] for own in held_out]) for one in (job.settings.encoders if each else ())},
        {one: encoder_of(store) for own in stores.values() for one, store in own.items()},
    )


class Trainer:
    """The loss of a batch: the mean over data sets of their questions' cross-entropy."""

    def __init__(self, model: RolesModel, asked: Mapping[str, Asked], tokens: Tokens) -> None:
        self.model, self.settings, self.asked, self.tokens = model, model.settings, asked, tokens

    def loss(self, state: State, rng: np.random.Generator) -> Outcome:
        """One micro-batch's. All data sets' images and questions go through the model together, as far as the heads."""
        model, settings = self.model, self.settings
        parts, tokens, questions, places, targets, images = {}, {one: [] for one in settings.encoders}, [], [], [], 0
        for name, own in self.asked.items():
            share = max(1, settings.sets[name].batch // settings.optimiser.accumulate)
            chosen = rng.permutation(len(own.images))[:share]
            rows = [rng.permutation(own.rows[image])[: settings.questions_an_image] for image in chosen]
            places.append(images + np.repeat(np.arange(len(chosen)), [len(one) for one in rows]))
            rows = np.concatenate(rows)
            for one, found in tokens.items():
                found.append(self.tokens[name][one][torch.from_numpy(chosen)])
            questions.append(own.pick(rows))
            targets.append(own.targets[torch.from_numpy(rows)].to(model.device))
            parts[name], images = len(rows), images + len(chosen)
        with autocast(model.device, settings.precision):
            features = model.features({one: torch.cat(found) for one, found in tokens.items()})
            place = torch.from_numpy(np.concatenate(places)).to(model.device)
            states = model.reader(batch_of(joined(questions)), model.project(features), place)
            logits = [
                model.heads[name](own) for name, own in zip(parts, states.split(list(parts.values())), strict=True)
            ]
        losses = [F.cross_entropy(one.float(), wanted) for one, wanted in zip(logits, targets, strict=True)]
        right = sum(float((one.argmax(1) == wanted).sum()) for one, wanted in zip(logits, targets, strict=True))
        return Outcome(torch.stack(losses).mean(), images, {"accuracy": right / len(place)})


@torch.no_grad()
def begin(job: Job, model: RolesModel, world: World) -> None:
    """Fit what is fixed to the training data, once for all seeds, and load a language model's weights."""
    settings, reader = model.settings, model.reader
    fixed = {f"whiteners.{name}": whitener for name, whitener in model.whiteners.items()}
    if isinstance(reader, AttentionReader):
        fixed["reader.whitener"] = reader.whitener
    for name, whitener in fixed.items():
        if name in world.fitted:
            whitener.load_state_dict(world.fitted[name])
            continue
        if whitener is getattr(reader, "whitener", None):
            whitener.fit(torch.cat([one.questions for one in world.asked.values()]).unique(dim=0))
        else:
            encoder = name.removeprefix("whiteners.")
            whitener.fit(torch.cat([own[encoder].flatten(0, 1) for own in world.tokens.values()]))
        world.fitted[name] = {key: value.clone() for key, value in whitener.state_dict().items()}
    if isinstance(reader, LanguageReader):
        bert = load_bert(job.layout.weights(settings.reader.weights), settings.reader.layers)
        reader.embeddings.load_state_dict(bert.embeddings.state_dict())
        reader.layers.load_state_dict(bert.layers.state_dict())


@torch.no_grad()
def whitened(model: RolesModel, raw: Tokens) -> Tokens:
    """Return tokens as adapters take them, on the model's device."""
    return {
        name: {one: model.whiteners[one](tokens.to(model.device)) for one, tokens in own.items()}
        for name, own in raw.items()
    }


@torch.no_grad()
def adapted(model: RolesModel, tokens: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return encoder → what its adapter gives: what enters the projector."""
    return {name: model.adapters[name](own) for name, own in tokens.items()}


def ranks_of(tokens: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
    """Return encoder → effective rank of its tokens, a mean over images, and of all of them."""
    return {
        name: {per: round(rank_of_tokens(own.float().cpu(), per), 4) for per in ("image", "stacked")}
        for name, own in tokens.items()
    }
