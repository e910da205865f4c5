"""A small drawn world: images of two colours, captions, questions and boxes, and a tiny BERT."""

import io
import json
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel

from compactvl.data.canonical import ImageRow, write_set
from compactvl.records.layout import Layout
from compactvl.records.record import Made, write

COLOURS = ["red", "blue", "green"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "is", "there", "a", "?", "yes", "no", "and", "left", *COLOURS]
SIZES = {"train": 24, "val": 12, "test": 12}


def png(colours: tuple[str, str], size: tuple[int, int]) -> bytes:
    """An image whose left half has one colour and whose right half has another."""
    image = Image.new("RGB", size, colours[0])
    image.paste(Image.new("RGB", (size[0] // 2, size[1]), colours[1]), (size[0] // 2, 0))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_tiny_bert(layout: Layout) -> None:
    torch.manual_seed(0)
    target = layout.weights("tiny")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 1, "intermediate_size": 64}
    bert = BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **sizes))
    target.parent.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in bert.state_dict().items()}, target)
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.WhitespaceSplit()
    companion = target.with_suffix(".tokenizer.json")
    tokenizer.save(str(companion))
    write(target.with_suffix(".json"), Made("weights", ""), [target, companion], model="tiny")


def write_sets(layout: Layout) -> None:
    """Write images with captions, and three sets of questions about them."""
    rng = np.random.default_rng(0)
    shown = {f"{split}-{i:02d}": tuple(rng.choice(COLOURS, 2)) for split, n in SIZES.items() for i in range(n)}
    rows = [
        ImageRow(name, png(pair, (32, 16) if i % 2 else (16, 16)), name.split("-")[0])
        for i, (name, pair) in enumerate(shown.items())
    ]
    captions = pd.DataFrame(
        {
            "item_id": list(shown),
            "image_id": list(shown),
            "split": [name.split("-")[0] for name in shown],
            "caption": [f"a {a} and {b}" for a, b in shown.values()],
            "pos": "DET NOUN CCONJ NOUN",
        }
    )
    write_set(layout.dataset("drawn"), "drawn", rows, captions, Made("curate", ""), settings={})
    asked = [
        {"item_id": f"{name}-{c}", "image_id": name, "split": name.split("-")[0], "question": f"Is there a {c} ?",
         "answer": "yes" if c in pair else "no", "type": c}
        for name, pair in shown.items() for c in COLOURS
    ]  # fmt: skip
    annotated = [
        {k: v for k, v in row.items() if k != "answer"} | {"answers": json.dumps([row["answer"]] * 7 + ["maybe"] * 3)}
        for row in asked
    ]
    pairs = []
    for split in SIZES:
        names = [name for name in shown if name.startswith(split)]
        pairs += [
            {"item_id": f"{a}+{b}-{c}", "image_0": a, "image_1": b, "split": split, "statement": f"there is a {c} left",
             "label": int(c in shown[a]), "sentence_id": f"{split}-{c}"}
            for a, b in pairwise(names) for c in COLOURS
        ]  # fmt: skip
    for name, items, answers in (
        ("asked", asked, ["yes", "no"]),
        ("annotated", annotated, ["yes", "no"]),
        ("pairs", pairs, ["false", "true"]),
    ):
        facts = {"text_only": True, "images_of": "drawn", "answers": answers}
        write_set(layout.dataset(name), name, [], pd.DataFrame(items), Made("curate", ""), settings={}, **facts)


def write_boxes(layout: Layout) -> None:
    """Write expressions that mean one half of an image of two colours; a third box is the whole."""
    rng, rows = np.random.default_rng(2), []
    for split, number in SIZES.items():
        for i in range(number):
            pair = tuple(rng.permutation(COLOURS)[:2])
            rows.append((f"{split}-{i:02d}", pair, split))
    images = [ImageRow(name, png(pair, (16, 16)), split) for name, pair, split in rows]
    items = pd.DataFrame(
        [
            {"item_id": f"{name}-{side}", "image_id": name, "split": split, "expression": f"{pair[side]}", "target": side,
             "boxes": json.dumps([[0, 0, 8, 16], [8, 0, 8, 16], *([[0, 0, 16, 16]] if side else [])]), "type": ""}
            for name, pair, split in rows for side in (0, 1)
        ]
    )  # fmt: skip
    write_set(layout.dataset("boxed"), "boxed", images, items, Made("curate", ""), settings={})
