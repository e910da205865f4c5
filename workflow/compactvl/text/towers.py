"""Text towers of transformers' SigLIP, SigLIP2 and CLIP models: the caption's side of a published embedding model."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from compactvl.errors import UserError, first_line
from compactvl.nn.compute import autocast, compute_device
from compactvl.progress import Progress
from compactvl.text.wordpiece import canonical_caption
from compactvl.vision.weights import check_fit

log = logging.getLogger(__name__)
# Model type → class of the text side alone, its output that stands for the whole text, its padding, and what it is given:
# SigLIP was trained on texts padded to full length and no mask.
TOWERS = {
    "siglip": ("SiglipTextModel", "pooler_output", "max_length", ("input_ids",)),
    "clip": ("CLIPTextModelWithProjection", "text_embeds", True, ("input_ids", "attention_mask")),
}
LEFT_OVER = ("vision_model.", "visual_projection.", "logit_")
"""Prefixes of the image side's tensors."""


class TextTower:
    """A frozen text tower, by its Hub name or a folder written by ``save_pretrained`` with model and tokenizer.

    Args:
        canonical: whether texts go through :func:`compactvl.text.wordpiece.canonical_caption` first.

    Raises:
        UserError: the model cannot be found, is of another family, its weights do not fit tensor by tensor, or its tokenizer
            cannot pad.
    """

    def __init__(self, name: str, revision: str | None = None, precision: str = "bf16", canonical: bool = True) -> None:
        import transformers

        source = {"revision": revision, "trust_remote_code": False}
        try:
            config = transformers.AutoConfig.from_pretrained(name, **source)
            if config.model_type not in TOWERS:
                raise UserError(f"{name} is a {config.model_type!r} model; supported: {', '.join(sorted(TOWERS))}")
            kind, self.output, self.padding, self.inputs = TOWERS[config.model_type]
            text = config.text_config
            if hasattr(config, "projection_dim"):
                text.projection_dim = config.projection_dim
            self.model, loading = getattr(transformers, kind).from_pretrained(
                name, config=text, revision=revision, output_loading_info=True, dtype=torch.float32
            )
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(name, **source)
        except UserError:
            raise
        except Exception as error:  # transformers, safetensors, pickle and the Hub's client raise errors of many types
            raise UserError(
                f"cannot load the text side of {name} ({first_line(error)}); on a machine with network run `hf download {name}`, "
                "or copy the model's folder here and give its path as `model`"
            ) from error
        missing = sorted(map(str, [*loading["missing_keys"], *loading.get("mismatched_keys", ())]))
        unexpected = sorted(key for key in loading["unexpected_keys"] if not key.startswith(LEFT_OVER))
        wrong = {"missing": missing, "unexpected": unexpected}
        check_fit(f"{name}: weights do not fit {kind}", wrong, "download the folder again")
        if self.tokenizer.pad_token_id is None:
            raise UserError(f"{name}: its tokenizer has no padding token; download the folder again")
        # SigLIP2 was trained on lower-cased text, and the tokenizer that its checkpoints name keeps capitals.
        self.lower = self.tokenizer.init_kwargs.get("do_lower_case", config.model_type == "siglip")
        self.device = compute_device()
        self.model.eval().requires_grad_(False).to(self.device)
        self.name, self.longest, self.vocabulary = name, text.max_position_embeddings, text.vocab_size
        self.precision, self.canonical = precision, canonical

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch: int = 256, label: str = "embed texts") -> np.ndarray:
        """Return unit vectors, float32 (len(texts), width). Longer texts are cut at the tower's positions, which is told.

        Raises:
            UserError: the tokenizer is another model's.
        """
        parts, cut = [], 0
        with Progress(len(texts), "text", label) as progress:
            for start in range(0, len(texts), batch):
                block = list(texts[start : start + batch])
                if self.canonical:
                    block = [canonical_caption(text) for text in block]
                if self.lower:
                    block = [text.lower() for text in block]
                cut += sum(len(ids) > self.longest for ids in self.tokenizer(block, verbose=False)["input_ids"])
                words = self.tokenizer(
                    block,
                    padding=self.padding,
                    truncation=True,
                    max_length=self.longest,
                    return_attention_mask=True,
                    return_tensors="pt",
                )
                if (highest := int(words["input_ids"].max())) >= self.vocabulary:
                    raise UserError(
                        f"{self.name}: the tokenizer gives word {highest}, the model has {self.vocabulary} words; "
                        "they do not belong together, get both from one repository"
                    )
                with autocast(self.device, self.precision):
                    output = self.model(**{key: words[key].to(self.device) for key in self.inputs})
                vectors = getattr(output, self.output)
                parts.append(F.normalize(vectors.float(), dim=-1).cpu().numpy())
                progress.update(len(block))
        if cut:
            log.warning(
                "%s: %d texts are longer than the %d tokens it reads; their ends are cut off", label, cut, self.longest
            )
        return np.concatenate(parts)
