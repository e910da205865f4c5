"""Where ESsEN's trainings begin, and finished runs opened again."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from compactvl.nn.compute import compute_device
from compactvl.studies.base import Job
from compactvl.studies.essen.build import build
from compactvl.studies.essen.model import Model, TwoTower
from compactvl.studies.essen.settings import Answering, Grounding, Pretraining
from compactvl.studies.run import read_settings
from compactvl.training.checkpoint import load_model, read_state


def begin(job: Job) -> Model:
    """Return the model a training begins with, on the compute device: random weights of the job's seed, the towers'
    pretrained ones, or those of the run it starts from.
    """
    settings = job.settings
    torch.manual_seed(job.seed)
    model = build(settings, job if settings.start is None else None)
    if settings.start is not None:
        adopt(model, read_state(job.peer_run(settings.start)))
    return model.to(compute_device())


def adopt(model: Model, state: Mapping[str, Tensor]) -> None:
    """Take a run's encoder and poolers, not its heads.

    The row of a second image begins as the first one's; positions of patches are resampled to another image size as timm does.
    """
    own = model.state_dict()
    wanted = [key for key in own if key.startswith(("encoder.", "text_pooler.", "image_pooler."))]
    taken = {key: state[key] for key in wanted}
    table = taken["encoder.modality.weight"]
    if len(table) < len(own["encoder.modality.weight"]):
        taken["encoder.modality.weight"] = torch.cat([table, table[-1:]])
    for positions in ("encoder.image.position", "encoder.vision.model.pos_embed"):
        if positions in taken and taken[positions].shape != own[positions].shape:
            from compactvl.vision.uncompiled_timm import timm  # imports torchvision

            side = math.isqrt(own[positions].shape[1])
            prefix = own[positions].shape[1] - side**2
            taken[positions] = timm.layers.resample_abs_pos_embed(
                taken[positions], [side, side], num_prefix_tokens=prefix
            )
    model.load_state_dict({**own, **taken})


def open_run(run: str | Path) -> Model:
    """Load the model of a finished run, in evaluation mode, on the compute device.

    Raises:
        UserError: the run is missing, unfinished, corrupt, or of another kind of variant.
    """
    settings, state = read_settings(run, Pretraining, Answering, Grounding), read_state(run)
    model = build(settings)
    load_model(model, run, state)
    return model.eval().requires_grad_(False).to(compute_device())


def groups(model: Model) -> dict[str, list[nn.Parameter]]:
    """Parameters by name of the optimiser's groups: heads; cross-modal layers with what leads into and out of them."""
    encoder = model.encoder
    heads = [model.head, model.matching, model.masked_words]
    fusion = [model.text_pooler, model.image_pooler]
    if isinstance(encoder, TwoTower):
        fusion += [encoder.text_in, encoder.image_in, encoder.layers]
    parts = {"head": heads, "fusion": fusion}
    return {name: [p for part in own if part is not None for p in part.parameters()] for name, own in parts.items()}
