"""Build, save and load EDJE's joint model."""

from pathlib import Path

import torch

from compactvl.errors import UserError
from compactvl.nn.bert import BertShape
from compactvl.nn.compute import compute_device
from compactvl.records.layout import Layout
from compactvl.studies.edje.model import JointModel
from compactvl.studies.edje.settings import JointEncoder
from compactvl.studies.run import read_settings
from compactvl.text.sentences import load_bert
from compactvl.training.checkpoint import load_model, read_state


def build_joint(settings: JointEncoder, layout: Layout, recovery_dim: int | None) -> JointModel:
    """Return an untrained joint model: pretrained joint encoder, fresh adapter and heads.

    Args:
        recovery_dim: width of the embedding model's text vectors, if they are recovered.
    """
    pretrained = load_bert(layout.weights(settings.joint.weights), settings.joint.layers)
    model = JointModel(settings, pretrained.shape, recovery_dim)
    pretrained.extend_positions(model.places)
    model.bert.load_state_dict(pretrained.state_dict(), strict=True)
    model.set_word_statistics()
    return model


def open_joint(run: str | Path) -> JointModel:
    """Load the joint model of a finished run, in evaluation mode, on :func:`compactvl.nn.compute.compute_device`.

    Raises:
        UserError: the run is missing, unfinished, corrupt, or not a joint encoder's.
    """
    settings, state = read_settings(run, JointEncoder), read_state(run)
    bert = {key.removeprefix("bert."): value for key, value in state.items() if key.startswith("bert.")}
    recovery = state.get("recovery.weight")
    model = JointModel(settings, BertShape.of(bert), None if recovery is None else len(recovery))
    load_model(model, run, state)
    return model.eval().requires_grad_(False).to(compute_device())


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
