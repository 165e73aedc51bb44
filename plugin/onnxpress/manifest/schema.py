"""The JSON Schema of a manifest and of a proof sheet (draft 2020-12), for whoever reads or makes
packs with other tools.

It says what pack/values.py checks, and so what the browser checks at load.
"""

from typing import Any

from ..pack.shapes import (
    Either,
    Listing,
    Plain,
    Record,
    Shape,
    Table,
    Tagged,
    Tuple,
    Word,
    fields_of,
    records_below,
    text_of,
)

PLAIN: dict[str, dict[str, Any]] = {
    "text": {"type": "string"}, "number": {"type": "number"}, "flag": {"type": "boolean"},
    "count": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}, "nothing": {"type": "null"},
}


def json_schema(kind: type, title: str) -> dict[str, Any]:
    """The schema of a dataclass, with a definition for each type below it."""
    top, *others = records_below(kind)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **_record(top),
        "$defs": {kind.__name__: _record(kind) for kind in others},
    }


def _record(kind: type) -> dict[str, Any]:
    fields = fields_of(kind)
    properties = {}
    for field in fields:
        text = {"description": field.text} if field.text else {}
        properties[field.key] = {**_schema(field.shape), **text}
    return {"description": text_of(kind), "type": "object", "properties": properties,
            "required": [field.key for field in fields if not field.optional]}


def _schema(shape: Shape) -> dict[str, Any]:
    match shape:
        case Plain(name):
            return PLAIN[name]
        case Word(values):
            return {"enum": list(values)}
        case Listing(item):
            return {"type": "array", "items": _schema(item)}
        case Tuple(items):
            return {"type": "array", "prefixItems": [_schema(item) for item in items],
                    "minItems": len(items), "maxItems": len(items)}
        case Table(item):
            return {"type": "object", "additionalProperties": _schema(item)}
        case Record(of):
            return {"$ref": f"#/$defs/{of.__name__}"}
        case Tagged(_, records):
            return {"oneOf": [_schema(record) for record in records.values()]}
        case Either(options):
            return {"anyOf": [_schema(option) for option in options]}
