"""Vision towers of open_clip models as encoders (optional extra ``open_clip``)."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from compactvl.errors import UserError, first_line


class OpenClipTokens(nn.Module):
    """Patch tokens and image embedding of an open_clip visual tower."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        visual.output_tokens = True
        self.visual = visual

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (B, 3, S, S) → tokens (B, T, D), pooled (B, P)."""
        pooled, tokens = self.visual(pixels)
        return tokens, pooled


def build_open_clip(
    name: str, checkpoint: str, quick_gelu: bool | None = None
) -> tuple[OpenClipTokens, dict[str, Any]]:
    """Load an open_clip model's image side.

    Args:
        name: open_clip architecture.
        checkpoint: pretrained tag or file.
        quick_gelu: whether the weights were trained with QuickGELU; ``None`` asks the architecture's name or the tag.

    Returns:
        The model and its preprocessing choices.

    Raises:
        UserError: open_clip is not installed, the model or weights cannot be had, give no patch tokens, or nothing says
            which activation they were trained with.
    """
    try:
        import open_clip
    except ImportError as error:
        raise UserError("loader open_clip needs its package; run `pip install compactvl[open_clip]`") from error
    if quick_gelu is None:
        quick_gelu = bool((open_clip.get_model_config(name) or {}).get("quick_gelu"))
        if Path(checkpoint).is_file() and not quick_gelu:
            raise UserError(
                f"{checkpoint} does not say which activation {name} was trained with; set `quick_gelu` to true for OpenAI's "
                "weights and what is fine-tuned from them, else to false"
            )
        quick_gelu = quick_gelu or open_clip.get_pretrained_cfg(name, checkpoint).get("quick_gelu", False)
    try:
        model = open_clip.create_model(
            name, pretrained=checkpoint, force_quick_gelu=quick_gelu, require_pretrained=True
        )
    except Exception as error:  # open_clip raises RuntimeError, HTTP and pickle errors alike
        raise UserError(
            f"cannot load open_clip {name} with {checkpoint!r} ({first_line(error)}); download the weights "
            "on a machine with network and give the file as `checkpoint`"
        ) from error
    visual = model.visual
    if not hasattr(visual, "output_tokens"):
        raise UserError(f"open_clip {name} gives no patch tokens; choose a vision transformer of open_clip's own")
    config = open_clip.get_model_preprocess_cfg(model)
    side = config["size"][0] if isinstance(config["size"], (tuple, list)) else config["size"]
    choices = {
        "image_size": side,
        "resize": {"shortest": "crop", "squash": "squash", "longest": "pad"}[config.get("resize_mode", "shortest")],
        "crop_fraction": 1.0,
        "interpolation": config.get("interpolation", "bicubic"),
        "mean": tuple(config["mean"]),
        "std": tuple(config["std"]),
    }
    return OpenClipTokens(visual), choices
