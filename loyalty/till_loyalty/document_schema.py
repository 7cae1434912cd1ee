"""The JSON Schema of a programme document, for editors: docs/reference/programme.schema.json."""

import json

import msgspec

from till_loyalty.programme import Programme


def programme_schema() -> str:
    """The schema as text, two spaces deep, ending in a newline."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Programme)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
