"""Text towers: BERT's and ELECTRA's form, and any that transformers has. Vision towers are timm's."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.errors import UserError, first_line
from compactvl.nn.bert import BertEmbeddings, BertLayer, BertShape, from_transformers
from compactvl.nn.heads import INIT_STD
from compactvl.studies.essen.fusion import key_bias
from compactvl.studies.essen.settings import AnyText, Text
from compactvl.text.batches import TokenBatch


class TextTower(nn.Module):
    """``transformers.BertModel`` or, with narrower word vectors, ``ElectraModel``."""

    def __init__(self, sizes: Text, dropout: float) -> None:
        super().__init__()
        own, self.width, self.dropout = sizes.embedding or sizes.width, sizes.width, dropout
        self.embeddings = BertEmbeddings(BertShape(vocabulary=sizes.vocabulary, width=own, positions=sizes.positions))
        self.project = nn.Identity() if own == sizes.width else nn.Linear(own, sizes.width)
        shape = BertShape(width=sizes.width, heads=sizes.heads, hidden=sizes.hidden)
        self.layers = nn.ModuleList(BertLayer(shape) for _ in range(sizes.layers))
        initialise(self)
        self.words.requires_grad_(not sizes.freeze_words)

    @property
    def words(self) -> Tensor:
        """The word table, (vocabulary, embedding)."""
        return self.embeddings.word.weight

    def embed(self, texts: TokenBatch) -> Tensor:
        """Embed word pieces: (B, L, width)."""
        positions = torch.arange(texts.ids.shape[1], device=texts.ids.device).expand_as(texts.ids)
        x = self.embeddings(self.embeddings.word(texts.ids), positions, torch.zeros_like(texts.ids))
        return self.project(F.dropout(x, self.dropout, self.training))

    def encode(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Run the layers: (B, L, width) → the same. ``mask``: (B, L) bool, what is there; ``None``: all."""
        bias = key_bias(mask)
        for layer in self.layers:
            x = layer(x, bias, self.dropout)
        return x

    def forward(self, texts: TokenBatch) -> Tensor:
        """Word pieces → (B, L, width)."""
        return self.encode(self.embed(texts), texts.padded_mask)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of a ``BertModel`` or ``ElectraModel``, with at least as many layers.

        Raises:
            UserError: they are of another form or size.
        """
        state = {key.removeprefix("electra."): value for key, value in state.items()}
        bridge = {key: state.pop(f"embeddings_project.{key}", None) for key in ("weight", "bias")}
        found = from_transformers(state, len(self.layers))
        if bridge["weight"] is not None:
            found |= {f"project.{key}": value for key, value in bridge.items()}
        own = self.state_dict()
        wrong = [key for key in own if key not in found or found[key].shape != own[key].shape]
        if wrong or found.keys() - own.keys():
            name = wrong[0] if wrong else min(found.keys() - own.keys())
            shape = tuple(found[name].shape) if name in found else "missing"
            raise UserError(f"the text weights' {name} is {shape}, the tower's {tuple(own.get(name, torch.empty(0)).shape)}; "
                            "give the sizes of `model.text` that the weights have")  # fmt: skip
        self.load_state_dict(found)


class AnyTextTower(nn.Module):
    """A text encoder of transformers, with random or trained weights."""

    def __init__(self, sizes: AnyText, trained: bool) -> None:
        super().__init__()
        import transformers

        try:
            if trained and sizes.model is not None:
                self.model = transformers.AutoModel.from_pretrained(
                    sizes.model, revision=sizes.revision, dtype=torch.float32, attn_implementation="eager"
                )
            else:
                config = transformers.AutoConfig.for_model(sizes.architecture, **sizes.config)
                self.model = transformers.AutoModel.from_config(config, attn_implementation="eager")
        except Exception as error:  # transformers and the Hub's client raise file, HTTP and value errors alike
            raise UserError(
                f"model.text: {sizes.model or sizes.architecture} cannot be had ({first_line(error)}); correct it"
            ) from error
        if self.model.config.model_type != sizes.architecture:
            raise UserError(f"model.text: {sizes.model} is a {self.model.config.model_type}, not {sizes.architecture}")
        self.width = self.model.config.hidden_size

    @property
    def words(self) -> Tensor:
        """The word table, (vocabulary, embedding)."""
        return self.model.get_input_embeddings().weight

    def forward(self, texts: TokenBatch) -> Tensor:
        """Word pieces → (B, L, width)."""
        return self.model(input_ids=texts.ids, attention_mask=texts.mask.long()).last_hidden_state


def initialise(module: nn.Module) -> None:
    """Set weights as BERT begins: normal of standard deviation 0.02, biases 0, norms 1 and 0."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=INIT_STD)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
