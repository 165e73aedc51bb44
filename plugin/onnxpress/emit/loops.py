"""Loop nests over strided operands, and their JavaScript. Strides count elements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..graph.graph import Shape


def broadcast_strides(shape: Shape, strides: Shape, out: Shape) -> Shape:
    """The strides with which an operand of `shape` walks over the axes of `out`; 0 along an axis
    where the operand repeats."""
    held = tuple(0 if n == 1 else s for n, s in zip(shape, strides, strict=True))
    return (0,) * (len(out) - len(shape)) + held


def collapse(shape: Shape, operands: Sequence[Shape]) -> tuple[Shape, list[Shape]]:
    """(lengths, strides of each operand) of the same nest with fewer loops. Axes of length 1 are
    dropped. Two neighbours become one axis where every operand walks over both without a gap."""
    axes: list[tuple[int, ...]] = []  # (length, stride of operand 0, of operand 1, ...)
    for axis in zip(shape, *operands, strict=True):
        n, *strides = axis
        if n == 1:
            continue
        if axes and all(outer == s * n for outer, s in zip(axes[-1][1:], strides, strict=True)):
            axes[-1] = (axes[-1][0] * n, *strides)
        else:
            axes.append(axis)
    if not axes:
        return (), [() for _ in operands]
    lengths, *columns = zip(*axes, strict=True)
    return lengths, columns


@dataclass(frozen=True)
class Nest:
    """JavaScript of a loop nest: the function's parameters, the loops' heads, their closing braces,
    and for each operand the expression of its element index in the innermost loop."""

    parameters: str
    head: str
    tail: str
    at: Mapping[str, str]


def nest(depth: int, operands: Mapping[str, str], loop: str = "n") -> Nest:
    """`depth` loops named `loop`. `operands`: name -> the JavaScript expression of the index where
    the operand starts. The parameters are the lengths, then each operand's stride in each loop."""
    at = dict(operands)
    heads = []
    for d in range(depth):
        starts = ", ".join(["i = 0", *(f"{p}_{loop}{d} = {at[p]}" for p in operands)])
        at = {p: f"{p}_{loop}{d}" for p in operands}
        steps = ", ".join(["i++", *(f"{at[p]} += {p}_{loop}{d}_step" for p in operands)])
        heads.append(f"for (let {starts}; i < {loop}{d}; {steps}) {{")
    lengths = [f"{loop}{d}" for d in range(depth)]
    steps = [f"{p}_{loop}{d}_step" for p in operands for d in range(depth)]
    return Nest(", ".join(lengths + steps), "\n".join(heads), "}" * depth, at)
