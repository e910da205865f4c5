"""timm models as frozen encoders and as towers to be trained; weights are loaded strictly."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compactvl.config.encoders import EncoderCommon, Tower
from compactvl.errors import UserError
from compactvl.vision.loading import Loaded, chosen_preprocessing, try_size
from compactvl.vision.preprocessing import INTERPOLATIONS
from compactvl.vision.timm_weights import known, read_pretrained
from compactvl.vision.uncompiled_timm import timm
from compactvl.vision.weights import check_fit, read_weights

CLASSIFIERS = ("head.", "head_dist.", "classifier.", "fc.")
"""Prefixes of the classification layers an encoder does without: the only tensors that may be left over."""


class TimmTokens(nn.Module):
    """A timm model's last features as tokens, and its own pooling of them.

    Vision transformers give their patch tokens (class and register tokens left out); convolutional models give the
    last feature map, flattened row by row. Models without patches run with channels innermost in memory, half as fast
    again on a CPU.

    Args:
        headless: of an EfficientNet, leave out the convolution after the last block; its tokens' mean is then pooled.
        stage: end with this feature map, whose mean is then pooled, and leave out what comes after it; ``None``: the whole.
    """

    def __init__(self, model: nn.Module, headless: bool = False, stage: int | None = None) -> None:
        super().__init__()
        self.headless, self.stage = headless, stage
        if stage is not None:
            model.prune_intermediate_layers([stage], prune_norm=True, prune_head=True)
        self.layout = torch.contiguous_format if hasattr(model, "patch_embed") else torch.channels_last
        self.model = model.to(memory_format=self.layout)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (B, 3, S, S) → tokens (B, T, D), pooled (B, P).

        Raises:
            UserError: the model's last features are not one token a patch.
        """
        pixels = pixels.contiguous(memory_format=self.layout)
        if self.headless or self.stage is not None:
            if self.headless:
                features = self.model.blocks(self.model.bn1(self.model.conv_stem(pixels)))
            else:
                (features,) = self.model.forward_intermediates(
                    pixels, indices=[self.stage], stop_early=True, intermediates_only=True
                )
            return features.flatten(2).transpose(1, 2), features.mean((2, 3))
        features = self.model.forward_features(pixels)
        self._check(features)
        pooled = self.model.forward_head(features, pre_logits=True)
        if features.ndim == 4:
            flat = features.flatten(1, 2) if self._channels_last_output() else features.flatten(2).transpose(1, 2)
            return flat, pooled
        return features[:, getattr(self.model, "num_prefix_tokens", 0) :], pooled

    def _check(self, features: Any) -> None:
        """Raise UserError unless features are a map, or have a token for every patch after the known other ones."""
        told = type(features).__name__
        if isinstance(features, torch.Tensor):
            if features.ndim == 4:
                return
            count = features.shape[1] - (getattr(self.model, "num_prefix_tokens", None) or 0)
            embed = getattr(self.model, "patch_embed", None)
            grid = getattr(embed, "grid_size", None)
            patches = math.prod(grid) if grid else getattr(embed, "num_patches", None)
            if count == (patches or math.isqrt(count) ** 2):
                return
            told = f"{count} tokens for {patches or 'a square of'} patches"
        name = self.model.pretrained_cfg["architecture"]
        raise UserError(f"timm's {name} gives {told}, not one token a patch; choose another model")

    def _channels_last_output(self) -> bool:
        return str(getattr(self.model, "output_fmt", "NCHW")).upper().endswith("NHWC")


def frozen(
    settings: EncoderCommon,
    state: Mapping[str, torch.Tensor],
    name: str,
    facts: dict[str, Any],
    where: str,
    fused: bool,
    crop_fraction: float | None = None,
    headless: bool = False,
) -> Loaded:
    """Build an encoder of a timm model.

    Args:
        state, name, where: see :func:`load_timm`. facts: what identifies the model.
        fused: see :func:`use_fused_attention`. crop_fraction: in place of the model's own.
        headless: see :class:`TimmTokens`.

    Raises:
        UserError: see :func:`load_timm`; or timm prepares the model's images in a way of its own.
    """
    model = TimmTokens(load_timm(name, state, settings.image_size, where), headless)
    use_fused_attention(model, fused)
    data = timm.data.resolve_model_data_config(model.model)
    own = data["crop_mode"], data["crop_pct"]
    resize = "squash" if own == ("squash", 1) else "crop" if own[0] == "center" else None
    if settings.resize is resize is None:
        raise UserError(
            f"timm's way to fit images for {name} ({own[0]}, crop_pct {own[1]}) is not supported; set `resize`"
        )
    choices = {
        "image_size": data["input_size"][-1],
        "resize": resize,
        "crop_fraction": data["crop_pct"] if crop_fraction is None else crop_fraction,
        "interpolation": data["interpolation"] if data["interpolation"] in INTERPOLATIONS else "bicubic",
        "mean": tuple(data["mean"]),
        "std": tuple(data["std"]),
    }
    return model, chosen_preprocessing(settings, choices), facts


def build_tower(settings: Tower, weights_path: str | Path | None = None) -> TimmTokens:
    """Build a tower to be trained, from random weights (torch's generator) or from trained ones.

    Its ``tokens_shape`` (T, D) and ``pooled_dim`` say what it gives for images of ``settings.image_size``.

    Args:
        settings: model, size and where it starts from.
        weights_path: converted weights, where ``settings.weights`` names some.

    Raises:
        UserError: unknown model, one without patch tokens, a size it cannot take, or trained weights that cannot be had
            or do not fit.
    """
    size, options = settings.image_size, settings.options
    if not settings.pretrained:
        model = create(settings.model, size, **options)
    elif settings.weights is None:
        state, _, where = read_pretrained(settings)
        model = load_timm(settings.model, state, size, where, **options)
    else:
        state, record = read_weights(weights_path)
        if record["model"] != settings.model:
            raise UserError(f"{weights_path} holds {record['model']}, not {settings.model}; correct one of them")
        model = load_timm(settings.model, state, size, str(weights_path), **options)
    try:
        tower = TimmTokens(model, stage=settings.stage).eval()
    except (AssertionError, AttributeError, IndexError) as error:
        raise UserError(
            f"{settings.model} has no feature map {settings.stage} to end with; choose another `stage`"
        ) from error
    side = size or timm.data.resolve_model_data_config(model)["input_size"][-1]
    with torch.no_grad():
        tokens, pooled = try_size(tower, side, settings.model)
    tower.tokens_shape, tower.pooled_dim = tuple(tokens.shape[1:]), pooled.shape[1]
    return tower.train()


def load_timm(
    name: str, state: Mapping[str, torch.Tensor], image_size: int | None, where: str, **options: Any
) -> nn.Module:
    """Build ``name`` for ``image_size`` pixels and load ``state`` strictly.

    Position tables of another grid are resampled as timm does (bicubic, antialiased).

    Args:
        name: timm model name, with or without the tag of its weights.
        state: state dictionary under timm's names.
        image_size: side of the input; ``None`` for the model's own.
        where: the weights' file, for messages.
        options: further arguments of the timm model.

    Raises:
        UserError: unknown model, wrong size for it, or weights that do not fit tensor by tensor.
    """
    model = create(name, image_size, **options)
    expected = model.state_dict()
    state = dict(state)
    table, own = state.get("pos_embed"), expected.get("pos_embed")
    if table is not None and own is not None and table.shape != own.shape and table.ndim == own.ndim == 3:
        prefix = 0 if getattr(model, "no_embed_class", False) else model.num_prefix_tokens
        state["pos_embed"] = timm.layers.resample_abs_pos_embed(
            table, model.patch_embed.grid_size, num_prefix_tokens=prefix
        )
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected and not key.startswith(CLASSIFIERS)]
    both = [key for key in expected if key in state]
    shapes = [key for key in both if state[key].shape != expected[key].shape]
    quantised = [key for key in both if expected[key].is_floating_point() > state[key].is_floating_point()]
    wrong = {"missing": missing, "unexpected": unexpected, "of another shape": shapes, "quantised": quantised}
    check_fit(f"{where}: weights do not fit timm's {name}", wrong, "give the checkpoint of this very model")
    model.load_state_dict({key: state[key] for key in expected}, strict=True)
    return model


def use_fused_attention(model: nn.Module, fused: bool) -> None:
    """Switch every timm attention in ``model`` between one fused operator and plain matrix products.

    On CPUs the fused operator is the slower one in bfloat16.
    """
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = fused


def create(name: str, image_size: int | None, **options: Any) -> nn.Module:
    """Build a timm model without classifier for images of a size, with fresh weights of torch's generator.

    Args:
        options: further arguments of the timm model.

    Raises:
        UserError: unknown model, a size it cannot take, or an argument it does not have.
    """
    known(name)
    given = {"pretrained": False, "num_classes": 0, **options}
    size = {} if image_size is None else {"img_size": image_size}
    try:
        model = timm.create_model(name, **size, **given)
    except TypeError as first:  # convolutional models take any size
        try:
            return timm.create_model(name, **given)
        except TypeError:
            raise UserError(f"timm's {name} does not take {', '.join(options)} ({first}); correct `options`") from first
    except (AssertionError, ValueError) as error:
        raise UserError(f"{name} cannot take images of {image_size} pixels ({error}); choose another size") from error
    patch = getattr(getattr(model, "patch_embed", None), "patch_size", 1)
    patch = patch if isinstance(patch, int) else patch[0]
    if image_size is not None and image_size % patch:
        raise UserError(f"{name} cannot take images of {image_size} pixels; choose a multiple of its patches' {patch}")
    return model
