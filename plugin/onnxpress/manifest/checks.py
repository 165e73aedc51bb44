"""The shapes of a manifest as data, for runtime/load/check.js.

A shape is a name ("text", "count", ..., or a record's own) or a list that begins with its kind:
["list", shape], ["tuple", shapes...], ["table", shape], ["word", values...], ["either", shapes...],
["tagged", key, {value: record}]. A record has a shape for each key; "?" stands behind optional
keys.
"""

import json
import textwrap
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
)
from .declarations import COMMAND, WIDTH
from .manifest import Manifest

GLUE = "\u2060"  # in place of a space where a line must not end


def javascript_shapes() -> str:
    """The text of runtime/load/shapes.js."""
    records = [f"  {kind.__name__}: {_record(kind)},\n" for kind in records_below(Manifest)]
    return ("// The shapes of a manifest, for check.js.\n"
            f"// Made by `{COMMAND}`.\n"
            '/** @type {Object<string, Object<string, import("./check.js").Shape>>} */\n'
            f"export const SHAPES = {{\n{''.join(records)}}};\n")


def _record(kind: type) -> str:
    parts = [f"{_key(f.key + ('?' if f.optional else ''))}: {json.dumps(_shape(f.shape))}"
             for f in fields_of(kind)]
    text = "{ " + ", ".join(parts) + " }"
    if len(text) + len(kind.__name__) + 5 <= WIDTH:
        return text
    body = textwrap.fill(" ".join(f"{part},".replace(" ", GLUE) for part in parts), WIDTH,
                         initial_indent="    ", subsequent_indent="    ", break_long_words=False,
                         break_on_hyphens=False)
    return "{\n" + body.replace(GLUE, " ") + "\n  }"


def _key(key: str) -> str:
    return key if key.isidentifier() else json.dumps(key)


def _shape(shape: Shape) -> Any:
    match shape:
        case Plain(name):
            return name
        case Word(values):
            return ["word", *values]
        case Listing(item):
            return ["list", _shape(item)]
        case Tuple(items):
            return ["tuple", *map(_shape, items)]
        case Table(item):
            return ["table", _shape(item)]
        case Record(of):
            return of.__name__
        case Tagged(key, records):
            return ["tagged", key, {tag: _shape(record) for tag, record in records.items()}]
        case Either(options):
            return ["either", *map(_shape, options)]
