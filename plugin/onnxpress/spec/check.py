"""A tree against the published JSON Schema; the first fault as one sentence of ours.

The schema (see schema.py) says what is admitted; the tables below say it in words.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

from ..errors import SpecError, did_you_mean
from ..kinds import GIVEN
from .schema import schemas
from .text import Tree, kind_of

YES_NO = {"yes", "no", "on", "off", "true", "false", "y", "n"}

PATTERNS = {
    "^https?://": "is not a web address; write https://…",
    "^https://": "is not an https address; a model is fetched over https only",
    "^[0-9a-f]{64}": "is not a sha256; write its 64 lower-case hex digits",
    "^[^:]": "is not a Python file and a function in it, such as models/net.py:build",
    "^auto$": "is not auto or a whole number from 1 to 64",
    **{start: words for given in GIVEN for start, words in given.patterns.items()},
}
TYPES = {"string": "text", "integer": "a whole number", "number": "a number", "array": "a list",
         "object": "a mapping", "boolean": "true or false"}


def check(tree: Tree, schema: str) -> None:
    """Passes `tree` if the schema "demo" or "card" admits it.

    Raises:
        SpecError: the fault that stands first in the file.
    """
    faults = [_innermost(e) for e in _validator(schema).iter_errors(tree.value)]
    if faults:
        first = min(faults, key=lambda e: (_line(tree, e), len(e.absolute_path), e.message))
        raise SpecError(_sentence(tree, first))


@cache
def _validator(schema: str) -> Draft202012Validator:
    documents = schemas()
    registry = Registry().with_resources(
        (name, Resource.from_contents(document)) for name, document in documents.items()
    )
    return Draft202012Validator(documents[f"{schema}.schema.json"], registry=registry)


def _innermost(error: ValidationError) -> ValidationError:
    """Where a value may have several forms, the fault of the form that the writer meant."""
    while error.validator == "anyOf":
        meant = [e for e in error.context or ()
                 if e.validator != "type" or len(e.relative_path) > 0]
        if not meant:
            return error
        error = meant[0]
    return error


def _path(error: ValidationError) -> tuple[str | int, ...]:
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        return (*path, _unknown(error))
    return path


def _unknown(error: ValidationError) -> str:
    found: Any = error.instance
    return next(key for key in dict(found) if key not in _properties(error))


def _rule(error: ValidationError) -> Any:
    """The value of the keyword that does not hold, such as the list behind "enum"."""
    return error.validator_value


def _properties(error: ValidationError) -> Mapping[str, Any]:
    """The fields that the schema knows at this place."""
    return error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}


def _line(tree: Tree, error: ValidationError) -> int:
    path = _path(error)
    while path and path not in tree.lines:
        path = path[:-1]
    return tree.lines.get(path, 1)


def _sentence(tree: Tree, error: ValidationError) -> str:
    path = _path(error)
    name = field_name(path)
    say = SENTENCES.get(str(error.validator))
    text = say(error, _shown(tree, path, error.instance)) if say else error.message
    trap = _yaml_trap(tree, path, error)
    return f"{tree.at(path)}: {name}{trap or text}"


def field_name(path: tuple[str | int, ...]) -> str:
    """'samples[2].licence: ', or nothing for the whole file."""
    name = ""
    for part in path:
        name += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if name else ''}{part}"
    return f"{name}: " if name else ""


def _shown(tree: Tree, path: tuple[str | int, ...], value: Any) -> str:
    text = tree.written.get(path, value if isinstance(value, str) else "")
    if not isinstance(text, str) or isinstance(value, (list, dict)):
        return f"a {kind_of(value)}"
    if isinstance(value, (int, float)):
        return text
    return f'"{text}"' if len(text) <= 60 else f'"{text[:60]}…"'


def _yaml_trap(tree: Tree, path: tuple[str | int, ...], error: ValidationError) -> str:
    """The sentence for text that YAML reads as something else: no, 2026-01-01, 1.0, ~."""
    wanted = _wanted_types(error)
    if "string" not in wanted or isinstance(error.instance, (str, list, dict)):
        return ""
    written = tree.written.get(path, "")
    if not written or error.instance is None:
        return "is empty; write some text or leave the line out"
    if written.lower() in YES_NO:
        reads = "true" if error.instance else "false"
        return f'YAML reads {written} as {reads}; put it in quotes: "{written}"'
    return f'YAML reads {written} as a {kind_of(error.instance)}; put it in quotes: "{written}"'


def _wanted_types(error: ValidationError) -> list[str]:
    if error.validator == "type":
        return [_rule(error)]
    if error.validator == "anyOf":
        return [_rule(inner) for inner in error.context or () if inner.validator == "type"]
    return []


def _say_type(error: ValidationError, shown: str) -> str:
    wanted = " or ".join(dict.fromkeys(TYPES[t] for t in _wanted_types(error)))
    return f"{shown} is not {wanted}"


def _say_unknown(error: ValidationError, _: str) -> str:
    known = list(_properties(error))
    hint = did_you_mean(_unknown(error), known)
    return f"there is no such field.{hint or ' Known here: ' + ', '.join(known)}"


def _say_enum(error: ValidationError, shown: str) -> str:
    known = [str(v) for v in _rule(error)]
    hint = did_you_mean(str(error.instance).lower(), known)
    return f"{shown} is not one of {', '.join(known)}.{hint}"


def _say_required(error: ValidationError, _: str) -> str:
    missing = next(k for k in _rule(error) if k not in error.instance)
    about = _description(_properties(error).get(missing, {}))
    return f"{missing} is missing{about}"


def _description(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"; it is one of {', '.join(schema['enum'])}"
    text = schema.get("description", "").rstrip(".")
    return f": {text}" if text else ""


def _say_pattern(error: ValidationError, shown: str) -> str:
    for start, words in PATTERNS.items():
        if _rule(error).startswith(start):
            return f"{shown} {words}"
    return f"{shown} does not have the right form"


def _limit(words: str) -> Callable[[ValidationError, str], str]:
    return lambda error, shown: words.format(shown=shown, limit=_rule(error))


SENTENCES: Mapping[str, Callable[[ValidationError, str], str]] = {
    "type": _say_type,
    "anyOf": _say_type,
    "enum": _say_enum,
    "required": _say_required,
    "additionalProperties": _say_unknown,
    "pattern": _say_pattern,
    "minimum": _limit("{shown} is below {limit}"),
    "maximum": _limit("{shown} is above {limit}"),
    "exclusiveMinimum": _limit("{shown} is not above {limit}"),
    "minLength": _limit("is empty; write some text or leave the line out"),
    "maxLength": _limit("the text is longer than {limit} characters"),
    "minItems": _limit("the list is empty; it needs at least {limit}"),
    "maxItems": _limit("the list has more than {limit} entries"),
    "uniqueItems": _limit("the list names something twice"),
}
