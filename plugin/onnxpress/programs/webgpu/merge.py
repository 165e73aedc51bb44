"""Shaders that differ in numbers only become one shader, which reads those numbers from a buffer.

A driver takes 10 to 100 ms to compile one shader, far longer than a run (NVIDIA 580 through Dawn:
60 to 110 ms for a tiled product). Numbers on which all shaders of a group agree stay in the text.
"""

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# A declaration's array of storage may lose its length. Other types, attributes and names may not
# change. Comments are dropped, except lines for subgroups (emit/wgsl/shader.py). All other digits
# are numbers: u32, f32 or i32.
TOKEN = re.compile(
    r"(?P<storage>var<storage[^;]*?array<\w+)(?P<length>, \d+)(?=>;)"
    r"|(?P<fixed>array<\w+, \d+>|@\w+\(\d+\))"
    r"|(?<![\w.])(?:(?P<u32>0x[0-9a-f]+|\d+)u|(?P<f32>\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+)f?|(?P<i32>\d+))(?![\w.])"
)
COMMENT = re.compile(r"[ \t]*//(?!\+)[^\n]*")
PACK = {"u32": "<I", "i32": "<i", "f32": "<f"}


@dataclass(frozen=True, slots=True)
class Number:
    """A literal: its text, and the u32 with its bits."""

    kind: str  # u32, i32, f32, or length
    text: str
    bits: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """A shader's first line (a comment), the text between its numbers, and the numbers."""

    title: str
    pieces: tuple[str, ...]
    numbers: tuple[Number, ...]

    @property
    def structure(self) -> tuple:
        """What two shaders must have in common to be merged: all but the values of numbers."""
        return self.pieces, tuple(n.kind for n in self.numbers)


@dataclass(frozen=True, slots=True)
class Merged:
    """One shader for several texts. `numbers`: text -> the `count` u32 values of its buffer."""

    code: str
    count: int
    numbers: Mapping[str, tuple[int, ...]]


def merge_shaders(texts: Iterable[str], binding: int) -> list[Merged]:
    """The fewest shaders that do the work of `texts`, which read their numbers from `binding`."""
    groups: dict[tuple, dict[str, Parsed]] = {}
    for text in dict.fromkeys(texts):
        parsed = parse(text)
        groups.setdefault(parsed.structure, {})[text] = parsed
    return [_merge(list(group), list(group.values()), binding) for group in groups.values()]


def parse(text: str) -> Parsed:
    """The shader `text`, cut at its numbers."""
    title, _, body = text.partition("\n")
    plain = COMMENT.sub("", body)
    pieces, numbers, end = [], [], 0
    for match in TOKEN.finditer(plain):
        kind = match.lastgroup
        if kind is None or kind == "fixed":
            continue
        pieces.append(plain[end : match.start(kind)])
        end = match.end()
        numbers.append(_number(kind, match[kind]))
    return Parsed(title, (*pieces, plain[end:]), tuple(numbers))


def _number(kind: str, text: str) -> Number:
    if kind == "length":
        return Number(kind, text, 0)
    value = float(text) if kind == "f32" else int(text, 0)
    bits = int.from_bytes(struct.pack(PACK[kind], value), "little")
    return Number(kind, f"{text}u" if kind == "u32" else text, bits)


def _merge(texts: Sequence[str], group: Sequence[Parsed], binding: int) -> Merged:
    """One shader for `texts`, which are the shaders of `group`."""
    columns = list(zip(*(p.numbers for p in group), strict=True))
    # Places whose numbers agree in every member share a slot.
    slots: dict[tuple[int, ...], int] = {}
    words = [group[0].pieces[0]]
    for column, piece in zip(columns, group[0].pieces[1:], strict=True):
        words += [_word(column, slots), piece]
    code = "".join(words)
    title = group[0].title
    if not slots:
        return Merged(f"{title}\n{code}", 0, dict.fromkeys(texts, ()))
    declared = (f"@group(0) @binding({binding}) var<uniform> numbers: "
                f"array<vec4u, {-(-len(slots) // 4)}>;")
    held = zip(*slots, strict=True)
    return Merged(f"{title}, and {len(group) - 1} more with other numbers\n{declared}\n{code}",
                  len(slots), dict(zip(texts, held, strict=True)))


def _word(column: Sequence[Number], slots: dict[tuple[int, ...], int]) -> str:
    first = column[0]
    if all(n == first for n in column):
        return first.text
    if first.kind == "length":
        return ""
    slot = slots.setdefault(tuple(n.bits for n in column), len(slots))
    value = f"numbers[{slot // 4}].{'xyzw'[slot % 4]}"
    return {"u32": value, "i32": f"i32({value})", "f32": f"bitcast<f32>({value})"}[first.kind]
