"""How variants and benchmarks are called in figures and tables."""

import re

LABELS = {
    "edje": "EDJE, 12 tokens",
    "trunk": "EDJE trunk (start of the ablations)",
    "random_scores": "Random scores (control)",
    "retriever": "Embedding model",
    "retriever_attention": "Embedding model, attention-pooled",
    "retriever_names": "Embedding model, trained on names",
    "late_interaction": "Late interaction",
    "align_local": "Warm-up of the local adapter",
    "align_mean": "Warm-up of the mean-pooling adapter",
    "local": "EDJE local (all tokens)",
    "local_finetuned": "EDJE local, fine-tuned",
    "compressed_distilled": "EDJE, distilled",
    "compressed_finetuned": "EDJE, distilled and fine-tuned",
    "itm_only": "ITM",
    "itm_mlm": "ITM + MLM",
    "itm_mlm_recovery": "ITM + MLM + recovery",
    "hard_negatives": "First stage's hard negatives",
    "random_negatives": "Random negatives",
    "own_negatives": "Own hard negatives",
    "weak_miner": "Weak miner's negatives",
    "score_fusion": "EDJE + first-stage score",
    "mean_pooling": "Mean-pooled tokens (control)",
    "shuffled_tokens": "Shuffled images (control)",
    "paper_recipe": "Paper's recipe alone",
    "cross_encoder": "CrossEncoder (sentence-transformers)",
    "transformers_bert": "BertModel (transformers, eager fp32)",
}
EMBEDDINGS = {
    "siglip2_l16": "SigLIP2 L/16",
    "siglip2_b16": "SigLIP2 B/16",
    "clip_b16": "CLIP B/16",
    "clip_l14": "CLIP L/14",
    "clip_l14_336": "CLIP L/14 336",
    "metaclip_l14": "MetaCLIP L/14",
}
KINDS = {"left_right": "left / right", "above_below": "above / below", "count": "count", "size": "size"}


def label(variant: str) -> str:
    """Return a variant's name for readers: ``compressed_12`` is "EDJE, m = 12"."""
    if name := (LABELS | EMBEDDINGS).get(variant):
        return name
    if match := re.fullmatch(r"align_(\d+)", variant):
        return f"Warm-up of the adapter, m = {match[1]}"
    if (match := re.fullmatch(r"(local|compressed_\d+)_(.+)", variant)) and match[2] in EMBEDDINGS:
        return f"{label(match[1])} on {EMBEDDINGS[match[2]]}"
    if match := re.fullmatch(r"compressed_(\d+)", variant):
        return f"EDJE, m = {match[1]}"
    return variant.replace("_", " ")


def token_count(variant: str) -> int | None:
    """Return the number of tokens a variant's name gives, ``compressed_<m>``; ``None`` for other names."""
    match = re.fullmatch(r"compressed_(\d+)", variant)
    return int(match[1]) if match else None
