"""Tokenizers and pretrained language models."""
