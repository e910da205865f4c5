"""How variants and benchmarks are called in figures and tables."""

import re

LABELS = {
    "random_scores": "Random scores (control)",
    "retriever": "Embedding model",
    "retriever_attention": "Embedding model, attention-pooled",
    "retriever_names": "Embedding model, trained on names",
    "late_interaction": "Late interaction",
    "local": "EDJE local (all tokens)",
    "itm_only": "ITM",
    "itm_mlm": "ITM + MLM",
    "itm_mlm_recovery": "ITM + MLM + recovery",
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
KINDS = {"left_right": "left / right", "above_below": "above / below", "count": "count", "size": "size"}


def label(variant: str) -> str:
    """Return a variant's name for readers: ``compressed_12`` is "EDJE, 12 tokens"."""
    if variant in LABELS:
        return LABELS[variant]
    if match := re.fullmatch(r"compressed_(\d+)(_distilled)?", variant):
        return f"EDJE, {match[1]} tokens" + (", distilled" if match[2] else "")
    if variant == "compressed_distilled":
        return "EDJE, distilled"
    return variant.replace("_", " ")


def token_count(variant: str) -> int | None:
    """Return the number of tokens a variant's name gives, ``compressed_<m>``; ``None`` for other names."""
    match = re.fullmatch(r"compressed_(\d+)", variant)
    return int(match[1]) if match else None
