"""The JSON schema of the configuration: generated, for editors and for Snakemake; a test keeps it up to date."""

import json
from functools import reduce
from operator import or_
from typing import Annotated

from pydantic import Field, create_model

from compactvl.config.kinds import find_kind, kind_names
from compactvl.dag.root import KINDS, NAMED_SECTIONS, RootSettings


def schema_text() -> str:
    """Return the schema as JSON text (draft 2020-12).

    It also allows ``null`` for a named entry, by which an overlay switches it off, and does not know the settings of
    variants, which are each study's own.
    """
    schema = _with_kinds().model_json_schema()
    for section in NAMED_SECTIONS:
        entry = schema["properties"][section]
        entry["additionalProperties"] = {"anyOf": [entry["additionalProperties"], {"type": "null"}]}
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "compactvl configuration", **schema}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _with_kinds() -> type[RootSettings]:
    """Return the settings with every kind of a section spelt out."""
    fields = {}
    for section, package in KINDS.items():
        union = reduce(or_, (find_kind(package, name) for name in kind_names(package)))
        described = RootSettings.model_fields[section]
        fields[section] = (dict[str, Annotated[union, Field(discriminator="kind")]], described)
    return create_model(RootSettings.__name__, __base__=RootSettings, __doc__=RootSettings.__doc__, **fields)
