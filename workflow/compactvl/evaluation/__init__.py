"""Protocols, metrics and statistics."""
