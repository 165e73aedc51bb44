"""Python types -> shapes: what a JSON value of a manifest may be.

Everything that reads or describes a manifest walks these shapes: the reader and the writer
(values.py), the JSON Schema (manifest/schema.py), the browser's types (manifest/declarations.py)
and the browser's check at load (manifest/checks.py). The dataclasses are the only source.
"""

import ast
import inspect
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, reduce
from operator import or_
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

# In a field's metadata:
KEY = "key"  # its name in JSON, where Python's is another
OF = "of"  # the dataclasses that it may hold, where a registry decides


@dataclass(frozen=True)
class Plain:
    """`name` is "text", "number" (finite), "count" (a whole number of at least 0), "flag" or
    "nothing" (null)."""

    name: str


@dataclass(frozen=True)
class Word:
    """One of `values`."""

    values: tuple[str | int, ...]


@dataclass(frozen=True)
class Listing:
    """A list of any length."""

    item: "Shape"


@dataclass(frozen=True)
class Tuple:
    """A list with one value for each of `items`."""

    items: tuple["Shape", ...]


@dataclass(frozen=True)
class Table:
    """An object with any keys."""

    item: "Shape"


@dataclass(frozen=True)
class Record:
    """An object with the fields of a dataclass."""

    of: type


@dataclass(frozen=True)
class Tagged:
    """One of several records: the one whose first field, `key`, has that value."""

    key: str
    records: Mapping[str, Record]


@dataclass(frozen=True)
class Either:
    options: tuple["Shape", ...]


Shape = Plain | Word | Listing | Tuple | Table | Record | Tagged | Either


@dataclass(frozen=True)
class Field:
    """A field of a dataclass; `key` names it in JSON. One with a default may be absent there, and
    is left out where it has it."""

    name: str
    key: str
    shape: Shape
    optional: bool
    default: Any
    text: str


PLAIN = {str: Plain("text"), float: Plain("number"), int: Plain("count"), bool: Plain("flag"),
         types.NoneType: Plain("nothing")}


def shape_of(hint: Any) -> Shape:
    """The shape of a type: `int` means a count, and `tuple[X, ...]` a list.

    Raises:
        TypeError: a manifest holds no such type.
    """
    if hint in PLAIN:
        return PLAIN[hint]
    if is_dataclass(hint) and isinstance(hint, type):
        return Record(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return Word(arguments)
    if origin is tuple and arguments[1:] == (...,):
        return Listing(shape_of(arguments[0]))
    if origin is tuple:
        return Tuple(tuple(map(shape_of, arguments)))
    if origin is Mapping and arguments[0] is str:
        return Table(shape_of(arguments[1]))
    if origin in (Union, types.UnionType):
        return _either(tuple(map(shape_of, arguments)))
    raise TypeError(f"a manifest holds no {hint}")


def _without_null(shape: Shape) -> Shape:
    """Of a field that is left out where it is None."""
    if not isinstance(shape, Either):
        return shape
    rest = tuple(option for option in shape.options if option != PLAIN[types.NoneType])
    return rest[0] if len(rest) == 1 else Either(rest)


def _either(options: tuple[Shape, ...]) -> Shape:
    tags = [_tag(option) for option in options]
    keys = {tag[0] for tag in tags if tag}
    if len(keys) == 1 and len({*tags} - {None}) == len(options):
        return Tagged(keys.pop(), {tag[1]: option for tag, option in zip(tags, options, strict=True)
                                   if tag and isinstance(option, Record)})
    return Either(options)


def _tag(shape: Shape) -> tuple[str, str] | None:
    """The key and the value of a record's first field, where only one value is possible."""
    if isinstance(shape, Record):
        first = fields_of(shape.of)[0]
        if isinstance(first.shape, Word) and len(first.shape.values) == 1:
            return first.key, str(first.shape.values[0])
    return None


@cache
def fields_of(kind: type) -> tuple[Field, ...]:
    """The fields of a dataclass, in the order in which JSON has them."""
    hints, texts = get_type_hints(kind), _texts(kind)
    found = []
    for field in fields(kind):
        default = field.default
        if field.default_factory is not MISSING:
            default = field.default_factory()
        key = field.metadata.get(KEY, field.name)
        of = field.metadata.get(OF)
        shape = shape_of(reduce(or_, of)) if of else shape_of(hints[field.name])
        found.append(Field(field.name, key, _without_null(shape) if default is None else shape,
                           default is not MISSING, default, texts.get(field.name, "")))
    return tuple(found)


def text_of(kind: type) -> str:
    """The docstring of a dataclass."""
    return inspect.cleandoc(kind.__doc__ or "")


def _texts(kind: type) -> dict[str, str]:
    """Field name -> the string that stands below the field in the source."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not is_dataclass(base):
            continue
        body = ast.parse(inspect.getsource(base)).body[0]
        assert isinstance(body, ast.ClassDef)
        name = ""
        for line in body.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                name = line.target.id
            elif isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and name:
                found[name] = inspect.cleandoc(str(line.value.value))
    return found


def records_below(kind: type) -> list[type]:
    """`kind` and the dataclasses inside it, each before the ones that it holds."""
    found: dict[type, None] = {}

    def visit(shape: Shape) -> None:
        match shape:
            case Record(of) if of not in found:
                found[of] = None
                for field in fields_of(of):
                    visit(field.shape)
            case Listing(item) | Table(item):
                visit(item)
            case Tuple(items) | Either(items):
                for item in items:
                    visit(item)
            case Tagged(_, records):
                for record in records.values():
                    visit(record)
            case _:
                pass

    visit(Record(kind))
    return list(found)
