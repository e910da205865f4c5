"""Data: sources, curation, readers of public formats, canonical tables."""
