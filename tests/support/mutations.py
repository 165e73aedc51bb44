"""Manifests that somebody has spoiled: one seeded change each."""

import copy
import random
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
WRONG = (None, True, 0, 1, -1, 2.5, -1e300, 1e300, 2**53, 2**31, "", "abc", [], [0], {}, {"a": 1})


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place inside a JSON value."""
    parts = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


def holder(value: Any, path: Path) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def mutate(value: Any, seed: int) -> tuple[str, Any]:
    """(what was done, the spoiled copy). Long lists are not all that is spoiled: a place is drawn
    by its shape first, so that each key of each record comes up."""
    draw = random.Random(seed)
    spoiled = copy.deepcopy(value)
    by_shape: dict[Path, list[Path]] = {}
    for path in places(value):
        by_shape.setdefault(tuple("*" if isinstance(k, int) else k for k in path), []).append(path)
    path, other = (draw.choice(by_shape[draw.choice(sorted(by_shape, key=str))]) for _ in "ab")
    where, last = holder(spoiled, path), path[-1]
    match draw.choice(("delete", "replace", "replace", "negate", "huge", "swap", "repeat")):
        case "delete":
            del where[last]
            what = "deleted"
        case "negate" if isinstance(where[last], int | float):
            where[last] = -where[last] - 1
            what = "negated"
        case "huge" if isinstance(where[last], int | float):
            where[last] = draw.choice((where[last] * 1000 + 1, 2**40, 1e15))
            what = f"huge: {where[last]}"
        case "swap" if path[: len(other)] != other and other[: len(path)] != path:
            one, two = holder(spoiled, path)[path[-1]], holder(spoiled, other)[other[-1]]
            holder(spoiled, path)[path[-1]], holder(spoiled, other)[other[-1]] = two, one
            what = f"swapped with {dotted(other)}"
        case "repeat" if isinstance(where[last], list):
            where[last] = where[last] * 2
            what = "repeated"
        case _:
            where[last] = draw.choice(WRONG)
            what = f"now {where[last]!r}"
    return f"{dotted(path)} {what}", spoiled


def dotted(path: Path) -> str:
    return ".".join(map(str, path))
