"""The module in runtime/load/join.js: it joins planes of bytes into values of 2 or 4 bytes."""

from pathlib import Path

from ..embed import embed
from .asm import I32, PAGE, V128, Function, Module, function

SLICE = 1 << 16  # bytes of a plane at a time: four planes and their values fit a core's L2 cache
VALUES = 16  # values of one step


def join_module() -> bytes:
    """A module that exports join2(steps) and join4(steps), for 2 and 4 planes. Plane p lies at byte
    p * SLICE, the joined values at byte 4 * SLICE; each step joins VALUES values."""
    module = Module()
    for planes in (2, 4):
        module.add(_join(planes), export=True)
    return module.encode(8 * SLICE // PAGE)


def _join(planes: int) -> Function:
    f, p = function(f"join{planes}", "steps")
    source, target = f.many(2, I32)
    vectors = f.many(planes, V128)
    with f.times(p.steps):
        for plane, vector in enumerate(vectors):
            f.get(source).load("v128.load", plane * SLICE).set(vector)
        pairs = [_interleave(f, vectors[i], vectors[i + 1], 1) for i in range(0, planes, 2)]
        if planes == 4:
            pairs = [_interleave(f, low, high, 2) for low, high in zip(*pairs, strict=True)]
        for i, vector in enumerate(v for pair in pairs for v in pair):
            f.get(target, vector).store("v128.store", 4 * SLICE + 16 * i)
        f.add(source, VALUES).add(target, planes * VALUES)
    return f


def _interleave(f: Function, one: int, other: int, size: int) -> list[int]:
    """Two vectors whose elements of `size` bytes come in turn from `one` and from `other`."""
    halves = f.many(2, V128)
    for half, vector in enumerate(halves):
        starts = range(8 * half, 8 * half + 8, size)
        f.get(one, other).shuffle_bytes(
            *(at + byte for start in starts for at in (start, 16 + start) for byte in range(size)))
        f.set(vector)
    return halves


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "runtime/load/join.js"
    path.write_text(embed(path.read_text("utf-8"), "MODULE", join_module()), "utf-8",
                    newline="\n")
