"""The files that are made from the manifest's types: one list, which a test holds to the files."""

import json
from functools import cache
from pathlib import Path

from .checks import javascript_shapes
from .declarations import declarations, javascript_types
from .manifest import Manifest
from .schema import json_schema
from .sheet import Sheet

HERE = Path(__file__).parent
RUNTIME = HERE.parent / "runtime"
API = "api.d.ts"  # in RUNTIME: the types that pages use and that are not the manifest's
SCHEMA = HERE / "schema" / "manifest.schema.json"
SHEET_SCHEMA = HERE / "schema" / "proof.schema.json"


def generated() -> dict[Path, str]:
    """Path -> what it has to hold."""
    return {
        RUNTIME / "types.js": javascript_types(API, _text(API)),
        RUNTIME / "load" / "shapes.js": javascript_shapes(),
        SCHEMA: _schema(Manifest, "A manifest of onnxpress"),
        SHEET_SCHEMA: _schema(Sheet, "A proof sheet of onnxpress"),
    }


@cache
def onnxpress_declarations() -> str:
    """The text of onnxpress.d.ts, which stands beside onnxpress.js."""
    return declarations(_text(API))


def _schema(kind: type, title: str) -> str:
    return json.dumps(json_schema(kind, title), indent=2, ensure_ascii=False) + "\n"


def _text(name: str) -> str:
    return (RUNTIME / name).read_text("utf-8")
