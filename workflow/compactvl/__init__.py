"""compactvl: a reference benchmark pipeline for compact discriminative vision-language models."""

__version__ = "0.1.0"
