"""Settings of pretrained weights: out of a pinned package's archive, or from the Hugging Face Hub."""

from typing import Annotated, Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.config.encoders import Sha256, WeightsSettings


class TransformersBert(Strict):
    """A BERT encoder and its tokenizer as transformers saves them: from the Hub, or from a folder."""

    format: Literal["transformers_bert"] = Field(description="A BERT of transformers, with its tokenizer.")
    model: str = Field(
        min_length=1, description="Hub name, e.g. microsoft/MiniLM-L12-H384-uncased, or a folder of save_pretrained."
    )
    revision: str | None = Field(None, description="Commit of the Hub repository the weights are pinned to.")
    sha256: Sha256 | None = Field(
        None, description="Digest the loaded weights must have: `sha256` in the weights' .json record gives it."
    )


PretrainedWeights = Annotated[
    WeightsSettings | TransformersBert,
    Field(discriminator="format", description="Where weights come from; `format` decides the other settings."),
]
