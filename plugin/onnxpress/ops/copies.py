"""Strided copies: the form in which code generators get all data movement."""

from dataclasses import dataclass
from math import prod

from ..graph.graph import Shape


@dataclass(frozen=True, slots=True)
class Move:
    """A copy: dst[dst_offset + i·dst_strides] = src[src_offset + i·src_strides] for every index i
    below `shape`.

    `source` is the number of the operand. Offsets and strides count elements. Source strides may be
    zero or negative.
    """

    source: int
    shape: Shape
    src_offset: int
    src_strides: Shape
    dst_offset: int
    dst_strides: Shape


@dataclass(frozen=True, slots=True)
class Moves:
    """All copies of one operator. First every element of the output becomes `fill`, if there is a
    `fill`. Then the parts are copied in any order. They never overlap in the output."""

    fill: float | None
    parts: tuple[Move, ...]


def dense(shape: Shape) -> Shape:
    """C-order strides in elements."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def coalesce(move: Move) -> Move:
    """The same copy with fewer axes. Axes of length 1 are dropped. Two neighbouring axes merge if
    one stride reaches all their elements."""
    axes: list[tuple[int, int, int]] = []
    for n, src, dst in zip(move.shape, move.src_strides, move.dst_strides, strict=True):
        if n == 1:
            continue
        if axes and axes[-1][1] == src * n and axes[-1][2] == dst * n:
            axes[-1] = (axes[-1][0] * n, src, dst)
        else:
            axes.append((n, src, dst))
    shape, sources, targets = zip(*axes, strict=True) if axes else ((), (), ())
    return Move(move.source, shape, move.src_offset, sources, move.dst_offset, targets)
