"""Build, save and load EDJE's joint model."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from compactvl.errors import UserError
from compactvl.nn.bert import BertShape
from compactvl.records.intact import check_files
from compactvl.records.layout import Layout
from compactvl.records.record import read_manifest
from compactvl.studies.edje.model import AdapterShape, JointModel, adapter_shape
from compactvl.studies.edje.settings import JointEncoder
from compactvl.text.sentences import load_bert
from compactvl.text.wordpiece import WordPiece
from compactvl.training.checkpoint import load_model, read_state

TOKENIZER = "tokenizer.json"
"""File of a joint encoder's run: its tokenizer, so that a run can be used anywhere."""


def build_joint(settings: JointEncoder, layout: Layout, recovery_dim: int | None) -> JointModel:
    """Return an untrained joint model: pretrained joint encoder, fresh adapter and heads.

    Args:
        recovery_dim: width of the embedding model's text vectors, if they are recovered.
    """
    pretrained = load_bert(layout.weights(settings.joint.weights), settings.joint.layers)
    adapter = adapter_shape(settings)
    model = JointModel(
        adapter,
        pretrained.shape,
        recovery_dim=recovery_dim,
        masked_words=settings.objectives.mlm > 0,
        longest_caption=settings.joint.longest_caption,
        rescale=settings.adapter.rescale,
        checkpoint_chunks=settings.joint.checkpoint_chunks,
    )
    pretrained.extend_positions(settings.joint.longest_caption + adapter.tokens)
    model.bert.load_state_dict(pretrained.state_dict(), strict=True)
    model.set_word_statistics()
    return model


def shapes_of(model: JointModel) -> dict[str, Any]:
    """What a manifest must hold to build the model again without its pretrained weights."""
    return {
        "adapter": asdict(model.adapter_shape),
        "bert": asdict(model.bert.shape),
        "recovery_dim": model.recovery.out_features if model.recovery is not None else None,
        "masked_words": model.masked_words is not None,
        "longest_caption": model.longest_caption,
        "rescale": model.rescale,
    }


def open_joint(run: str | Path) -> JointModel:
    """Load the joint model of a finished run, in evaluation mode.

    Raises:
        UserError: the run is missing, unfinished, corrupt, or not a joint encoder's.
    """
    shapes = read_manifest(run, "train")["shapes"]
    if "bert" not in shapes:
        raise UserError(f"{run} is not a joint encoder's run; choose one of kind `joint`")
    model = JointModel(
        AdapterShape(**shapes["adapter"]),
        BertShape(**shapes["bert"]),
        recovery_dim=shapes["recovery_dim"],
        masked_words=shapes["masked_words"],
        longest_caption=shapes["longest_caption"],
        rescale=shapes["rescale"],
    )
    load_model(model, run)
    return model.eval().requires_grad_(False)


def open_tokenizer(run: str | Path) -> WordPiece:
    """Load the tokenizer of a joint encoder's run.

    Raises:
        UserError: it is missing, or not what the run's manifest says.
    """
    check_files(run, TOKENIZER)
    return WordPiece(Path(run) / TOKENIZER)


def start_from(model: JointModel, *, adapter: Path | None, joint: Path | None) -> None:
    """Copy an adapter, and a joint encoder with its matching head, from other runs.

    Raises:
        UserError: a run's weights do not fit.
    """
    if joint is not None:
        state = read_state(joint)
        part = {k: v for k, v in state.items() if k.startswith(("bert.", "pooler.", "itm."))}
        table = model.bert.embeddings.position.weight
        given = part["bert.embeddings.position.weight"]
        # Tables differ in length when token counts do; the rows they share are the same positions.
        longer = table.detach().clone()
        longer[: len(given)] = given[: len(longer)]
        part["bert.embeddings.position.weight"] = longer
        _load_part(model, part, ("bert.", "pooler.", "itm."), joint)
    if adapter is not None:
        state = read_state(adapter)
        _load_part(model, {k: v for k, v in state.items() if k.startswith("adapter.")}, ("adapter.",), adapter)


def _load_part(model: JointModel, part: dict[str, torch.Tensor], prefixes: tuple[str, ...], run: Path) -> None:
    expected = {key for key in model.state_dict() if key.startswith(prefixes)}
    if set(part) != expected:
        raise UserError(f"{run} cannot start this variant: its {'/'.join(prefixes)} weights are of another kind")
    try:
        model.load_state_dict(part, strict=False)
    except RuntimeError as error:
        raise UserError(f"{run} cannot start this variant: {str(error).splitlines()[-1].strip()}") from error
