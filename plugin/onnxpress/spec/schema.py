"""The published JSON Schemas of specs and cards.

Files in schema/ hold the fields that no registry decides. The rest comes from the registries of
kinds, tasks, encodings and targets: a new task or kind changes no file here.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..kinds import GIVEN
from ..kinds.base import Given
from ..targets import TARGETS
from ..tasks import TASKS
from ..weights.encodings import WEIGHTS

FILES = Path(__file__).parent / "schema"
LINE = {"$ref": "common.schema.json#/$defs/line"}


@cache
def schemas() -> Mapping[str, Mapping[str, Any]]:
    """File name -> schema, complete."""
    found = {p.name: json.loads(p.read_text("utf-8")) for p in sorted(FILES.glob("*.json"))}
    _fill_common(found["common.schema.json"]["$defs"])
    _fill_demo(found["demo.schema.json"])
    _fill_sections(found["card.schema.json"]["properties"])
    return found


def schema_files() -> dict[str, bytes]:
    """File name -> content, as a site publishes it."""
    return {name: json.dumps(schema, indent=2, ensure_ascii=False).encode() + b"\n"
            for name, schema in schemas().items()}


def _fill_common(parts: dict[str, Any]) -> None:
    for task in TASKS.values():
        parts["output"]["properties"] |= task.output
    for given in GIVEN:
        parts[given.section] = given.options


def _fill_sections(properties: dict[str, Any]) -> None:
    """The options of every kind, before the field `output`."""
    after = {key: properties.pop(key) for key in [*properties][[*properties].index("output"):]}
    for given in GIVEN:
        properties[given.section] = {"$ref": f"common.schema.json#/$defs/{given.section}"}
    properties |= after


def _fill_demo(demo: dict[str, Any]) -> None:
    properties = demo["properties"]
    properties["task"]["enum"] = list(TASKS)
    properties["weights"]["enum"] = list(WEIGHTS)
    properties["targets"]["items"]["enum"] = list(TARGETS)
    _fill_sections(properties)
    view = {key: part for task in TASKS.values() for key, part in task.view.items()}
    properties["view"]["properties"] = view | properties["view"]["properties"]
    fields = {given.field: {**LINE, "description": given.about} for given in GIVEN}
    sample = properties["samples"]["items"]
    sample["properties"] = fields | sample["properties"]
    demo["allOf"] = [_samples_of(given, fields) for given in GIVEN]


def _samples_of(given: Given, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Where the task takes this kind, each sample has its field."""
    tasks = [task.name for task in TASKS.values() if task.kind.given is given]
    item = {"required": [given.field], "properties": {given.field: fields[given.field]}}
    return {"if": {"properties": {"task": {"enum": tasks}}, "required": ["task"]},
            "then": {"properties": {"samples": {"items": item}}}}
