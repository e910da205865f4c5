"""Build DiDE's models, with the weights they begin with, and open finished runs."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from compactvl.errors import UserError, first_line
from compactvl.nn.compute import compute_device
from compactvl.nn.vilt import from_transformers
from compactvl.studies.base import Job
from compactvl.studies.dide.images import Images, token_statistics
from compactvl.studies.dide.model import DualEncoder, FusionEncoder
from compactvl.studies.dide.settings import Dual, DualPairs, Encoder, Fusion, FusionPairs, Trunk
from compactvl.studies.dide.stack import Stack, TokenEmbedding
from compactvl.studies.run import read_settings
from compactvl.text.sentences import load_bert
from compactvl.text.wordpiece import WordPiece
from compactvl.training.checkpoint import load_model, read_state

TEXT_ROW, IMAGE_ROW = 39, 38
"""Rows of MiniLM's position table that take the place of a [CLS]'s (``cls_from_mask``)."""
Any = TypeVar("Any", FusionEncoder, DualEncoder)


def build(
    job: Job, form: type[Any], tokenizer: WordPiece, images: Images, image_ids: list[str], answers: int | None = None
) -> Any:
    """Return the model a training begins with, on the compute device.

    Args:
        form: fusion or dual encoder. images, image_ids: of the training; tokens are standardised by the first ones.
        answers: of its task; ``None`` for one that is trained on pairs.
    """
    settings = job.settings
    torch.manual_seed(job.seed)
    model = form(settings, answers)
    if settings.start is not None:
        state = read_state(job.peer_run(settings.start))
    else:
        state = {f"stack.{key}": value for key, value in pretrained_stack(job, tokenizer, images, image_ids).items()}
    adopt(model, state)
    model.words.requires_grad_(not settings.trunk.freeze_words)
    return model.to(compute_device())


def adopt(model: FusionEncoder | DualEncoder, state: Mapping[str, Tensor]) -> None:
    """Take weights of the same name and shape; both towers take those of a fusion encoder's stack.

    Heads, and what the other model does not have, stay as they are.
    """
    if any(key.startswith("stack.") for key in state) and isinstance(model, DualEncoder):
        shared = {key.removeprefix("stack."): value for key, value in state.items() if key.startswith("stack.")}
        state = {f"{tower}.{key}": value for tower in ("text", "image") for key, value in shared.items()}
    own = model.state_dict()
    model.load_state_dict({**own, **{k: v for k, v in state.items() if k in own and not k.startswith("head.")}})


def pretrained_stack(job: Job, tokenizer: WordPiece, images: Images, image_ids: list[str]) -> dict[str, Tensor]:
    """Return the state of a whole :class:`Stack` with the trunk's pretrained weights, the rest fresh."""
    settings, trunk = job.settings, job.settings.trunk
    stack = Stack(trunk, settings.images)
    if trunk.blocks == "vilt":
        if trunk.model is not None:
            stack.load_state_dict(_vilt(trunk))
        return stack.state_dict()
    bert = load_bert(job.layout.weights(trunk.weights), trunk.layers)
    shape, wanted = bert.shape, (trunk.vocabulary, trunk.width, trunk.heads, trunk.hidden)
    if (shape.vocabulary, shape.width, shape.heads, shape.hidden) != wanted:
        raise UserError(
            f"weights {trunk.weights} have vocabulary, width, heads and hidden {shape.vocabulary}, {shape.width}, "
            f"{shape.heads} and {shape.hidden}, the variant's trunk says {', '.join(map(str, wanted))}; correct it"
        )
    state = {key: value for key, value in bert.state_dict().items() if key.startswith("layers.")}
    state |= {key.replace("embeddings.", "text."): v for key, v in bert.state_dict().items() if key not in state}
    word, position = state["text.word.weight"], state["text.position.weight"]
    rows = position[[TEXT_ROW, IMAGE_ROW]]
    state["text.position.weight"] = position[: trunk.positions].clone()
    if trunk.cls_from_mask:
        state["text.word.weight"] = word.index_copy(0, torch.tensor([tokenizer.cls]), word[tokenizer.mask][None])
        state["text.position.weight"][0] = rows[0]
    stack.load_state_dict({**stack.state_dict(), **state})
    if isinstance(stack.image, TokenEmbedding):
        _begin_tokens(stack, word, position, rows[1], tokenizer)
        stack.image.mean[:], stack.image.std[:] = token_statistics(images, image_ids)
    return stack.state_dict()


@torch.no_grad()
def _begin_tokens(stack: Stack, word: Tensor, position: Tensor, cls_position: Tensor, tokenizer: WordPiece) -> None:
    """Give image tokens the mean and spread of word vectors, and fixed sine positions of the text positions' size."""
    image, width = stack.image, word.shape[1]
    mean = word.mean(0)
    spread = (word - mean).norm(dim=-1).square().mean().sqrt()
    image.scale.weight.fill_(float(spread) / math.sqrt(width))
    image.scale.bias.copy_(mean)
    image.cls.copy_(word[tokenizer.mask])
    segment = stack.text.segment.weight[0]
    image.position[0, 0] = cls_position + segment
    image.position[0, 1:] = segment + float(position.std()) * sine_grid(image.side // image.merge, width)
    image.norm.load_state_dict(stack.text.norm.state_dict())


def sine_grid(side: int, width: int) -> Tensor:
    """Sines and cosines of a grid's rows and columns, (side², width), of variance 1: a quarter of the width each."""
    quarter = width // 4
    rates = 10_000.0 ** (-torch.arange(quarter) / quarter)
    angles = torch.arange(side)[:, None] * rates
    one = torch.cat([angles.sin(), angles.cos()], 1) * math.sqrt(2)
    table = torch.zeros(side, side, width)
    table[..., : 2 * quarter], table[..., 2 * quarter : 4 * quarter] = one[:, None], one[None]
    return table.flatten(0, 1)


def _vilt(trunk: Trunk) -> dict[str, Tensor]:
    """Return a published ViLT's weights as a stack's."""
    import transformers

    try:
        model = transformers.ViltModel.from_pretrained(trunk.model, revision=trunk.revision, dtype=torch.float32)
    except Exception as error:  # transformers and the Hub's client raise file, HTTP and value errors alike
        raise UserError(
            f"trunk.model {trunk.model} cannot be loaded ({first_line(error)}); where there is network, run `hf download {trunk.model} "
            "--local-dir data/external/vilt`, copy the folder here and set trunk.model to it"
        ) from error
    return from_transformers(model.state_dict(), trunk.layers)


def open_run(run: str | Path, *kinds: type[Encoder]) -> FusionEncoder | DualEncoder:
    """Load the model of a finished run, in evaluation mode, on the compute device.

    Raises:
        UserError: the run is missing, unfinished, corrupt, or of another kind of variant.
    """
    settings, state = read_settings(run, *(kinds or (FusionPairs, Fusion, DualPairs, Dual))), read_state(run)
    form = FusionEncoder if isinstance(settings, FusionPairs | Fusion) else DualEncoder
    model = form(settings, getattr(settings, "answers", None))
    load_model(model, run, state)
    return model.eval().requires_grad_(False).to(compute_device())


def groups(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Parameters by name of the optimiser's groups: heads, shallow fusion, projection of the image."""
    heads = [model.head, model.matching, model.masked_words]
    fusion = getattr(model, "fusion", None)
    stack = model.stack if isinstance(model, FusionEncoder) else model.image
    parts = {"head": heads, "fusion": [fusion], "image": [stack.image]}
    return {name: [p for part in own if part is not None for p in part.parameters()] for name, own in parts.items()}


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter decays: no bias, and no norm but those inside the shallow fusion and the heads (released)."""
    return parameter.ndim > 1 or (name.split(".")[0] in ("fusion", "head") and name.endswith("weight"))
