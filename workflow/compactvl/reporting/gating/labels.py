"""How the gating study's variants, tasks and parts of speech are called in figures and tables."""

import re

from compactvl.reporting.labels import label as common_label

VARIANTS = {
    "unigram": "Unigram (control)",
    "bigram": "Bigram (control)",
    "random": "Random scores (control)",
    "no_images": "Images withheld (control)",
    "text_only": "Text only, no captions (control)",
    "text_trunk": "Trunk: images withheld, start of the design choices",
    "base": "Base: soft gate, per feature",
    "soft_token": "Soft gate, per token",
    "hard_feature": "Hard gate, per feature",
    "hard_token": "Hard gate, per token",
    "no_gate": "No gate",
    "no_image_encoder": "No image encoder",
    "film_text": "FiLM on text",
    "film_cross": "FiLM on cross-attention",
    "film_image": "FiLM on image",
    "dyintra_text": "DyIntra on text",
    "dyintra_cross": "DyIntra on cross-attention",
    "dyintra_image": "DyIntra on image",
    "channel_attention": "Channel attention",
    "clip": "CLIP loss",
    "lcg": "LCG loss",
    "patches": "Patches instead of CLS",
    "curriculum_text_first": "Alternating, text first",
    "curriculum_caption_first": "Alternating, captions first",
    "curriculum_text_then_caption": "Text, then captions",
    "curriculum_caption_then_text": "Captions, then text",
    "curriculum_mixed": "Mixed, losses added",
    "curriculum_mixed_shuffled": "Mixed, shuffled",
    "curriculum_captions_only": "Captions only",
}
TASKS = {
    "pairs": "Minimal pairs",
    "ewok": "EWoK",
    "vqa": "VQA",
    "winoground": "Winoground",
    "text_perplexity": "Text perplexity",
    "caption_perplexity": "Caption perplexity",
}
"""Language tasks in the order of the tables; others that were scored follow."""

SHOWN = {
    "own": "own image",
    "other": "another image",
    "none": "image taken away (a mode its training did not have)",
}
POS_NAMES = {
    "NOUN": "noun",
    "VERB": "verb",
    "ADJ": "adjective",
    "ADV": "adverb",
    "NUM": "numeral",
    "DET": "determiner",
    "ADP": "adposition",
    "PRON": "pronoun",
    "CONJ": "conjunction",
    "PRT": "particle",
    ".": "punctuation",
    "X": "other",
}


def label(variant: str) -> str:
    """Return a variant's name for readers: ``scale_8`` is "Base, 1/8 of the pool"."""
    if variant in VARIANTS:
        return VARIANTS[variant]
    if match := re.fullmatch(r"(no_gate_)?scale_(\d+)", variant):
        share = "all" if match[2] == "1" else f"1/{match[2]}"
        return f"{'No gate' if match[1] else 'Base'}, {share} of the pool"
    return common_label(variant)


def short(variant: str) -> str:
    """Return the part of a variant's name that tells it apart: "Base" for "Base: soft gate, per feature"."""
    return label(variant).split(":")[0]


def task_label(task: str) -> str:
    """Return a language task's name for readers."""
    return TASKS.get(task, task.replace("_", " "))


def pos_label(pos: str) -> str:
    """Return a universal part-of-speech tag in words."""
    return POS_NAMES.get(pos, pos.lower())
