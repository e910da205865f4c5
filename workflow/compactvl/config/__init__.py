"""The one definition of every setting, as pydantic models."""
