"""The JSON schema of the configuration: generated, for editors and for Snakemake; a test keeps it up to date."""

import json

from compactvl.dag.root import NAMED_SECTIONS, RootSettings


def schema_text() -> str:
    """Return the schema as JSON text (draft 2020-12).

    It also allows ``null`` for a named entry, by which an overlay switches it off, and does not know the settings of
    variants, which are each study's own.
    """
    schema = RootSettings.model_json_schema()
    for section in NAMED_SECTIONS:
        entry = schema["properties"][section]
        entry["additionalProperties"] = {"anyOf": [entry["additionalProperties"], {"type": "null"}]}
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "compactvl configuration", **schema}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
