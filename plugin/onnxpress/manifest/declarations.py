"""The manifest's types for JavaScript: JSDoc for the runtime itself, and TypeScript declarations
of all that a page may use of onnxpress.js."""

import json
import re
import textwrap
from collections.abc import Iterable

from ..pack.shapes import (
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
    records_below,
    text_of,
)
from ..pack.targets import Targets
from .manifest import Manifest

PLAIN = {"text": "string", "number": "number", "count": "number", "flag": "boolean",
         "nothing": "null"}
WIDTH = 100
IMPORT = re.compile(r"^import type .*;\n+", re.M)
EXPORTED = re.compile(r"^export interface (\w+)", re.M)
COMMAND = "python -m onnxpress.manifest"


def javascript_types(file: str, api: str) -> str:
    """The text of runtime/types.js. It names the interfaces of `api` too, the text of `file`."""
    blocks = [_comment([
        "The types of everything that the runtime reads (manifest.json) and gives (Model).",
        "URLs in a manifest are relative to the manifest itself.",
        f"Made by `{COMMAND}` from the dataclasses in pack/, manifest/, kinds/ and",
        f"tasks/, and from {file}: change those instead."])]
    blocks += [_typedef(kind) for kind in records_below(Manifest)]
    named = {"Target": _targets()} | {
        name: f'import("./{file}").{name}' for name in EXPORTED.findall(api)}
    blocks.append("\n".join(f"/** @typedef {{{of}}} {name} */" for name, of in named.items()))
    return "\n".join((*blocks, "export {};")) + "\n"


def declarations(api: str) -> str:
    """The text of onnxpress.d.ts; `api`: the declarations of the module's exports."""
    interfaces = [_interface(kind) for kind in records_below(Manifest)]
    head = "// Types of onnxpress.js and of the manifests that it reads."
    return "\n\n".join((head, IMPORT.sub("", api).strip(), *interfaces)) + "\n"


def _targets() -> str:
    return _type(Either(tuple(field.shape for field in fields_of(Targets))))


def _typedef(kind: type) -> str:
    lines = textwrap.wrap(f"@typedef {{Object}} {kind.__name__}  {_flat(text_of(kind))}", WIDTH - 5)
    head = [line if i == 0 else f"  {line}" for i, line in enumerate(lines)]
    return _comment([*head, *(line for field in fields_of(kind) for line in _property(field))])


def _property(field: Field) -> list[str]:
    name = f"[{field.key}]" if field.optional else field.key
    text = f"@property {{{_type(field.shape)}}} {name}  {_flat(field.text)}".rstrip()
    return textwrap.wrap(text, WIDTH - 5, subsequent_indent="  ", break_long_words=False,
                         break_on_hyphens=False)


def _interface(kind: type) -> str:
    lines = [_described(text_of(kind), ""), f"export interface {kind.__name__} {{"]
    for field in fields_of(kind):
        if field.text:
            lines.append(_described(field.text, "  "))
        lines.append(f"  {field.key}{'?' if field.optional else ''}: {_type(field.shape)};")
    return "\n".join((*lines, "}"))


def _described(text: str, indent: str) -> str:
    one = f"{indent}/** {_flat(text)} */"
    if len(one) <= WIDTH:
        return one
    return textwrap.indent(_comment(textwrap.wrap(_flat(text), WIDTH - 3 - len(indent))), indent)


def _comment(lines: Iterable[str]) -> str:
    return "\n".join(("/**", *(f" * {line}".rstrip() for line in lines), " */"))


def _flat(text: str) -> str:
    return " ".join(text.split())


def _type(shape: Shape) -> str:
    """The type in TypeScript's words, which JSDoc takes as well."""
    match shape:
        case Plain(name):
            return PLAIN[name]
        case Word(values):
            return "|".join(json.dumps(value) for value in values)
        case Listing(item):
            return f"({_type(item)})[]" if "|" in _type(item) else f"{_type(item)}[]"
        case Tuple(items):
            return f"[{', '.join(map(_type, items))}]"
        case Table(item):
            return f"{{[name: string]: {_type(item)}}}"
        case Record(of):
            return of.__name__
        case Tagged(_, records):
            return "|".join(map(_type, records.values()))
        case Either(options):
            return "|".join(map(_type, options))
