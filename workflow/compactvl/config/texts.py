"""Settings of the frozen text encoders that turn captions into cached vectors."""

from typing import Annotated, Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.config.references import Ref


class TextEncoderCommon(Strict):
    """What every text encoder has, whatever loads it."""

    precision: Literal["fp32", "bf16"] = Field("bf16", description="Arithmetic of the model (bf16 is autocast).")
    canonical: bool = Field(
        True,
        description="Whether texts lose case and ASCII punctuation first, as EDJE's release has it for all models.",
    )
    threads: int = Field(2, ge=1, le=256, description="Threads of the model's operators on a CPU.")


class SentenceBert(TextEncoderCommon):
    """A packaged sentence encoder: mean of the last layer's tokens of a BERT, unit length."""

    loader: Literal["sentence_bert"] = Field(description="A BERT from section `weights`.")
    weights: Annotated[str, Ref("weights")] = Field(description="Name of the converted weights (section `weights`).")


class TransformersText(TextEncoderCommon):
    """The text tower of a SigLIP, SigLIP2 or CLIP model of transformers: its own text vector, unit length."""

    loader: Literal["transformers"] = Field(description="A text tower by its Hub name.")
    model: str = Field(description="Hub name, e.g. google/siglip2-base-patch16-384, or a folder of save_pretrained.")
    revision: str | None = Field(None, description="Commit of the Hub repository the weights are pinned to.")


TextEncoderSettings = Annotated[SentenceBert | TransformersText, Field(discriminator="loader")]
