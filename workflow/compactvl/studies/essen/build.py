"""Build ESsEN's models, with random weights or with their towers' pretrained ones."""

import torch

from compactvl.errors import UserError, first_line
from compactvl.nn.compute import compute_device
from compactvl.studies.base import Job
from compactvl.studies.essen.model import IMAGE, Model, OneTower, TwoTower
from compactvl.studies.essen.settings import AnyText, Encoder, Text
from compactvl.studies.essen.towers import AnyTextTower, TextTower
from compactvl.vision.weights import read_weights

UNTRAINED = {"pretrained": False, "weights": None, "checkpoint": None, "revision": None, "sha256": None}


def build(settings: Encoder, job: Job | None = None) -> Model:
    """Build a variant's model.

    Args:
        job: where the towers' pretrained weights are; ``None``: all weights are random.

    Raises:
        UserError: pretrained weights that cannot be had or do not fit, or a tower that cannot be built.
    """
    form, size = settings.model, settings.pixels.fit.image_size
    modalities = IMAGE + (2 if getattr(settings, "image_pair", False) else 1)
    if form.form == "one_tower":
        encoder = OneTower(form, size, settings.dropout, modalities)
        _load_text(encoder.text, form.text, job)
        return Model(settings, encoder)
    if isinstance(form.text, AnyText):
        text = AnyTextTower(form.text, job is not None)
    else:
        text = TextTower(form.text, settings.dropout)
        _load_text(text, form.text, job)
    # timm takes as long to import as torch; one tower has no need of it.
    from compactvl.vision.timm_models import build_tower, use_fused_attention

    vision = form.vision.model_copy(update={"image_size": size, **({} if job else UNTRAINED)})
    tower = build_tower(vision, job.layout.weights(vision.weights) if vision.weights else None)
    use_fused_attention(tower, compute_device().type != "cpu")
    if tower.pooled_dim != tower.tokens_shape[1]:
        raise UserError(
            f"{vision.model} pools its {tower.tokens_shape[1]} wide tokens to {tower.pooled_dim}; choose another model"
        )
    return Model(settings, TwoTower(form, text, tower, settings.dropout, modalities))


def _load_text(tower: TextTower, form: Text, job: Job | None) -> None:
    if job is None or (form.weights is None and form.model is None):
        return
    if form.weights is not None:
        tower.load(read_weights(job.layout.weights(form.weights))[0])
        return
    import transformers

    try:
        model = transformers.AutoModel.from_pretrained(form.model, revision=form.revision, dtype=torch.float32)
    except Exception as error:  # transformers and the Hub's client raise file, HTTP and value errors alike
        raise UserError(
            f"model.text.model {form.model} cannot be loaded ({first_line(error)}); where there is network, run `hf download "
            f"{form.model} --local-dir data/external/text`, copy the folder here and name it there"
        ) from error
    tower.load(model.state_dict())
