"""Dataclasses <-> JSON values, for every type that a manifest holds."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, TypeVar

from ..errors import PackError
from .shapes import (
    Either,
    Field,
    Listing,
    Plain,
    Record,
    Shape,
    Table,
    Tagged,
    Tuple,
    Word,
    fields_of,
)

T = TypeVar("T")
CLIPPED = 40  # characters of a wrong value that a message shows
NAMES = {"text": "a text", "number": "a number", "count": "a whole number of at least 0",
         "flag": "true or false", "nothing": "null"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a value: `place` as in "targets.wasm.files", `what` in words."""

    place: str
    what: str


def to_json(value: Any) -> Any:
    """The JSON value of a dataclass; fields that have their default are left out."""
    if is_dataclass(value):
        parts = ((field, getattr(value, field.name)) for field in fields_of(type(value)))
        return {field.key: to_json(part) for field, part in parts
                if not field.optional or part != field.default}
    if isinstance(value, Mapping):
        return {key: to_json(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(part) for part in value]
    return value


def from_json(kind: type[T], value: Any, where: str) -> T:
    """The dataclass `kind` of a JSON value; `where` begins the message. Unknown keys are left out.

    Raises:
        PackError: the value is no such thing; the message names the place.
    """
    shape = Record(kind)
    fault = next(faults(shape, value), None)
    if fault:
        place = f"{fault.place}: " if fault.place else ""
        raise PackError(f"{where}: {place}{fault.what}; build the pack again")
    return _read(shape, value)


def faults(shape: Shape, value: Any, place: str = "") -> Iterator[Fault]:
    """What is wrong with a JSON value; runtime/load/check.js says the same in a browser."""
    match shape:
        case Listing(item) if isinstance(value, list):
            for i, part in enumerate(value):
                yield from faults(item, part, f"{place}[{i}]")
        case Tuple(items) if isinstance(value, list) and len(value) == len(items):
            for i, (item, part) in enumerate(zip(items, value, strict=True)):
                yield from faults(item, part, f"{place}[{i}]")
        case Table(item) if isinstance(value, dict):
            for key, part in value.items():
                yield from faults(item, part, _inside(place, key))
        case Record(of) if isinstance(value, dict):
            for field in fields_of(of):
                yield from _field_faults(field, value, _inside(place, field.key))
        case Tagged(key, records) if isinstance(value, dict) and _names(value.get(key), records):
            yield from faults(records[value[key]], value, place)
        case Either(options):
            yield from _nearest(shape, options, value, place)
        case _ if not _fits(shape, value):
            yield Fault(place, f"it must be {words(shape)}, not {_shown(value)}")


def _names(tag: Any, records: Mapping[str, Record]) -> bool:
    return isinstance(tag, str) and tag in records


def _field_faults(field: Field, value: Mapping[str, Any], place: str) -> Iterator[Fault]:
    if field.key in value:
        yield from faults(field.shape, value[field.key], place)
    elif not field.optional:
        yield Fault(place, "it is missing")


def _nearest(shape: Shape, options: tuple[Shape, ...], value: Any, place: str) -> Iterator[Fault]:
    """Nothing where an option fits; else what is wrong inside the one that fits from outside."""
    found = [next(faults(option, value, place), None) for option in options]
    if None in found:
        return
    inner = [fault for fault in found if fault and fault.place != place]
    yield inner[0] if inner else Fault(place, f"it must be {words(shape)}, not {_shown(value)}")


def _fits(shape: Shape, value: Any) -> bool:
    """Of a value without parts."""
    match shape:
        case Plain("text"):
            return isinstance(value, str)
        case Plain("flag"):
            return isinstance(value, bool)
        case Plain("nothing"):
            return value is None
        case Plain(name):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            whole = name == "number" or (number and float(value).is_integer()
                                         and 0 <= value < 2**53)
            return number and math.isfinite(value) and whole
        case Word(values):
            return not isinstance(value, bool | list | dict) and value in values
    return False


def _inside(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def words(shape: Shape) -> str:
    """"a list", "a text or null", ..."""
    match shape:
        case Plain(name):
            return NAMES[name]
        case Word(values):
            return " or ".join(json.dumps(value) for value in values)
        case Listing():
            return "a list"
        case Tuple(items):
            return f"a list of {len(items)}"
        case Tagged(key, records):
            return f"an object whose {key} is {' or '.join(json.dumps(tag) for tag in records)}"
        case Either(options):
            return " or ".join(map(words, options))
    return "an object"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= CLIPPED else f"{text[:CLIPPED]}…"


def _read(shape: Shape, value: Any) -> Any:
    """The Python value of a JSON value without faults."""
    match shape:
        case Listing(item):
            return tuple(_read(item, part) for part in value)
        case Tuple(items):
            return tuple(_read(item, part) for item, part in zip(items, value, strict=True))
        case Table(item):
            return {key: _read(item, part) for key, part in value.items()}
        case Record(of):
            return of(**{field.name: _read(field.shape, value[field.key])
                         for field in fields_of(of) if field.key in value})
        case Tagged(key, records):
            return _read(records[value[key]], value)
        case Either(options):
            fitting = (o for o in options if next(faults(o, value), None) is None)
            return _read(next(fitting), value)
        case Plain("count"):
            return int(value)
    return value
