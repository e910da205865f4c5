"""BERT weights from the Hugging Face Hub, or a folder of ``save_pretrained``, in the form of converted weights.

The encoder's tensors have the names of ``transformers.BertModel``. :func:`compactvl.text.sentences.load_bert` and
:class:`compactvl.text.wordpiece.WordPiece` read what :mod:`compactvl.vision.convert` writes of them.
"""

import json
from pathlib import Path
from typing import Any

import torch

from compactvl.config.weights import TransformersBert
from compactvl.data.user_files import read_user_json
from compactvl.errors import UserError, first_line
from compactvl.vision.converted import BERT_CONFIG, Converted
from compactvl.vision.weights import check_fit, state_digest

UNUSED = ("pooler.", "cls.", "embeddings.position_ids")
"""Prefixes of tensors a checkpoint may hold and the encoder has no place for: the joint encoder's heads are its own."""
HEAD_WIDTH = 32


def read_pretrained(name: str, settings: TransformersBert) -> Converted:
    """Take a BERT encoder and its tokenizer from transformers, for the weights of that name in the configuration.

    Raises:
        UserError: not found, of another architecture, incomplete, without a fast tokenizer, or not the pinned weights.
    """
    import transformers

    place = f"weights.{name}: {settings.model}"
    source = {"revision": settings.revision, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(settings.model, **source)
        _check_architecture(place, config)
        model, loading = transformers.BertModel.from_pretrained(
            settings.model,
            config=config,
            add_pooling_layer=False,
            output_loading_info=True,
            dtype=torch.float32,
            **source,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(settings.model, **source)
        pooling = _pooling(settings)
    except UserError:
        raise
    except Exception as error:  # transformers and the Hub's client raise file, HTTP and value errors alike
        folder = f"data/external/{name}"
        raise UserError(
            f"{place} cannot be loaded ({first_line(error)}); where there is network, run `hf download {settings.model} "
            f"--local-dir {folder}` (config.json, vocab.txt or tokenizer.json, model.safetensors or pytorch_model.bin), "
            f"copy the folder {folder} here and set weights.{name}.model to it"
        ) from error
    _check_tensors(place, loading)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or tokenizer.cls_token != "[CLS]" or tokenizer.sep_token != "[SEP]":
        raise UserError(f"{place} has no WordPiece tokenizer with [CLS] and [SEP]; choose an uncased BERT model")
    if backend.normalizer is None or backend.normalizer.normalize_str("A") != "a":
        raise UserError(f"{place} has a tokenizer that keeps capitals; choose an uncased BERT model")
    if (size := 1 + max(backend.get_vocab().values())) > config.vocab_size:
        raise UserError(
            f"{place}: the tokenizer knows {size} words, the model {config.vocab_size}; "
            "they do not belong together, get both from one repository"
        )
    state = {key: value.detach().contiguous() for key, value in model.state_dict().items() if value.is_floating_point()}
    digest = state_digest(state)
    if settings.sha256 not in (None, digest):
        raise UserError(f"{place} has weights of SHA-256 {digest}, the settings pin {settings.sha256}; correct one")
    return Converted(
        state,
        "bert",
        {"revision": settings.revision, "sha256": digest},
        UNUSED,
        {key: getattr(config, key) for key in BERT_CONFIG} | {"pooling": pooling},
        {"tokenizer.json": backend.to_str(pretty=True).encode()},
        "language model as published; heads are trained from fresh weights",
    )


def _check_architecture(place: str, config: Any) -> None:
    """Refuse what :func:`compactvl.text.sentences.load_bert` would compute otherwise than transformers does."""
    if config.model_type != "bert":
        raise UserError(f"{place} is a {config.model_type!r} model, expected 'bert'; choose a BERT or MiniLM model")
    wanted = {
        "num_attention_heads": config.hidden_size // HEAD_WIDTH,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
        "is_decoder": False,
    }
    for key, value in wanted.items():
        if getattr(config, key) != value:
            raise UserError(
                f"{place}: {key} is {json.dumps(getattr(config, key))}, the joint encoder computes with "
                f"{json.dumps(value)}; choose a BERT with heads {HEAD_WIDTH} wide, such as MiniLM-L12-H384-uncased"
            )


def _pooling(settings: TransformersBert) -> str:
    """Return what sentence-transformers' files, if there are any, make of the last layer: "mean", "cls", "mean + Dense"."""
    from transformers.utils import cached_file

    def read(name: str) -> Any:
        options = {"revision": settings.revision, "_raise_exceptions_for_missing_entries": False}
        file = cached_file(settings.model, name, **options)
        return file and read_user_json(Path(file))

    folders = {module["type"].rpartition(".")[2]: module["path"] for module in read("modules.json") or []}
    pooling = read(f"{folders.get('Pooling', '1_Pooling')}/config.json") or {}
    # Release 6 writes the mode's name; before, each mode was a switch.
    switches = [key for key, on in pooling.items() if key.startswith("pooling_mode_") and on]
    switched = [key.removeprefix("pooling_mode_").removesuffix("_tokens") for key in switches]
    modes = pooling.get("pooling_mode") or switched or "mean"
    others = sorted(folders.keys() - {"Transformer", "Pooling", "Normalize"})
    return " + ".join([*([modes] if isinstance(modes, str) else modes), *others])


def _check_tensors(place: str, loading: dict[str, Any]) -> None:
    stranger = sorted(key for key in loading["unexpected_keys"] if not key.removeprefix("bert.").startswith(UNUSED))
    missing = sorted(map(str, [*loading["missing_keys"], *loading.get("mismatched_keys", ())]))
    wrong = {"missing": missing, "unexpected": stranger}
    check_fit(f"{place}: its weights do not fit BertModel", wrong, "download it again")
