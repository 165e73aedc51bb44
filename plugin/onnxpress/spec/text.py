"""YAML text -> plain values that remember their lines.

The loader admits data only: no tags, no duplicate keys, bounded size, depth and aliases, so a
spec from a stranger costs no more than its own length.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import SpecError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_ALIASES = 32
MAX_NODES = 50_000  # after aliases are expanded; a list of 20,000 labels fits

# Characters of a number; PyYAML takes seconds to read "1:1:1:…" with many thousands.
MAX_DIGITS = 100
MAX_NUMBER = 3.4028234e38  # the largest f32, in which models compute

PLAIN_TAGS = {
    f"tag:yaml.org,2002:{tag}" for tag in ("str", "int", "float", "bool", "null", "timestamp")
}

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """`value` is dicts, lists and scalars; the maps go from a path in it to a line (from 1), and
    to a scalar's text as written, which differs from the value where YAML reads `no` as false."""

    where: str
    value: Any
    lines: Mapping[Path, int]
    written: Mapping[Path, str]

    def at(self, path: Path) -> str:
        """'demos/cat.yml:7', the nearest known line for `path`."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.where}:{self.lines.get(path, 1)}"


def read_yaml(text: str | bytes, where: str, first_line: int = 1) -> Tree:
    """The mapping that `text` holds. `where` names it in errors; `first_line` is its first line's
    number there.

    Raises:
        SpecError: the text is not one YAML mapping of plain data within the limits.
    """
    text = _decode(text, where)
    try:
        loader = _Loader(text)
        loader.where, loader.first_line = where, first_line
        node = loader.get_single_node()
        if node is None:
            raise SpecError(f"{where}: the file is empty; a spec begins with title, task and model")
        reader = _Reader(loader)
        value = reader.plain(node, ())
    except yaml.YAMLError as error:
        raise SpecError(_explain(error, where, first_line, text)) from None
    if not isinstance(value, dict):
        raise SpecError(f"{where}:{first_line}: this is a {kind_of(value)}; "
                        "a spec is a mapping such as `title: ...`")
    return Tree(where, value, reader.lines, reader.written)


def kind_of(value: Any) -> str:
    """What a person calls the value's type."""
    names = {bool: "yes-or-no value", int: "whole number", float: "number", str: "text",
             list: "list", dict: "mapping", type(None): "empty value"}
    return names.get(type(value), "date")


def _decode(text: str | bytes, where: str) -> str:
    data = text.encode() if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        raise SpecError(f"{where}: the file has {len(data):,} bytes; a spec has at most "
                        f"{MAX_BYTES:,}. Keep long label lists in their own file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError(f"{where}:{line}: this is not UTF-8 text; save the file as UTF-8") from None


class _Loader(yaml.SafeLoader):
    """Composes nodes only, and stops at the limits before recursion or expansion can hurt."""

    where = ""
    first_line = 1
    depth = 0
    aliases = 0

    def fail(self, mark: yaml.Mark, problem: str) -> SpecError:
        return SpecError(f"{self.where}:{mark.line + self.first_line}: {problem}")

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MAX_ALIASES:
                raise self.fail(event.start_mark, f"more than {MAX_ALIASES} aliases (*name); "
                                "write the values out")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(event.start_mark, f"nested more than {MAX_DEPTH} deep; "
                            "a spec needs three levels")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Reader:
    """Nodes -> values, with lines and written scalars on the side."""

    def __init__(self, loader: _Loader) -> None:
        self.loader = loader
        self.lines: dict[Path, int] = {}
        self.written: dict[Path, str] = {}
        self.nodes = 0

    def plain(self, node: yaml.Node, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.loader.fail(node.start_mark, f"more than {MAX_NODES:,} values once aliases "
                                   "are expanded; keep long lists in their own file")
        if len(path) > MAX_DEPTH:  # an alias that contains itself
            raise self.loader.fail(node.start_mark, f"nested more than {MAX_DEPTH} deep; "
                                   "a spec needs three levels")
        self.lines.setdefault(path, node.start_mark.line + self.loader.first_line)
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.plain(child, (*path, i)) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in PLAIN_TAGS:
            return self._scalar(node, path)
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise self.loader.fail(node.start_mark, f"the tag {tag} is not admitted; "
                               "a spec holds plain text, numbers, lists and mappings")

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.loader.fail(key_node.start_mark, "a key must be plain text")
            self._admit_text(key_node)
            key = key_node.value
            here = (*path, key)
            if key in result:
                raise self.loader.fail(key_node.start_mark, f'"{key}" stands here a second time '
                                       f"(first on line {self.lines[here]}); keep one of them")
            self.lines[here] = key_node.start_mark.line + self.loader.first_line
            result[key] = self.plain(value_node, here)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        self.written[path] = node.value
        self._admit_text(node)
        shown = node.value if len(node.value) <= 40 else node.value[:40] + "…"
        unread = self.loader.fail(node.start_mark, f"{shown} cannot be read; put text in quotes")
        if not node.tag.endswith(":str") and len(node.value) > MAX_DIGITS:
            raise unread
        try:
            value = self.loader.construct_object(node)
        except Exception:  # PyYAML's constructors raise what their own code happens to raise
            raise unread from None
        if isinstance(value, float) and not math.isfinite(value):
            raise self.loader.fail(node.start_mark, f"{node.value} is not a finite number")
        if isinstance(value, int | float) and abs(value) > MAX_NUMBER:
            raise self.loader.fail(node.start_mark, f"{shown} is too large; models compute with "
                                   f"numbers up to {MAX_NUMBER:.3g}")
        return value

    def _admit_text(self, node: yaml.ScalarNode) -> None:
        """Refuses the escaped half of a character: no text that is published can hold it."""
        if re.search("[\ud800-\udfff]", node.value):
            raise self.loader.fail(node.start_mark, "an escape such as \\ud800 is half of a "
                                   "character; write the character itself")


def _explain(error: yaml.YAMLError, where: str, first_line: int, text: str) -> str:
    """PyYAML's complaint as one sentence with the line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # ReaderError: a control character
        position = getattr(error, "position", 0)
        line = text[:position].count("\n") + first_line
        return f"{where}:{line}: a control character stands here; remove it"
    line = mark.line + first_line
    lines = text.splitlines()
    current = lines[mark.line] if mark.line < len(lines) else ""
    indent = current[: len(current) - len(current.lstrip())]
    if "\t" in indent:
        return f"{where}:{line}: a tab indents this line; YAML wants spaces"
    problem = getattr(error, "problem", None) or str(error)
    if "expected a single document" in str(error):
        return f"{where}:{line}: a second document begins here (---); a spec is one document"
    if "mapping values are not allowed" in problem:
        return (f"{where}:{line}: a colon followed by a space starts a second value on this line; "
                "put the text in quotes")
    return f"{where}:{line}: this is not YAML ({problem})"
