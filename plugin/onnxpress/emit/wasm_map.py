"""An expression over strided operands, element by element: what pointwise operators, copies,
fills and the last pass of a normalisation are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..expr import Expr, const
from .loops import Shape, broadcast_strides, collapse
from .wasm_asm import I32, Function
from .wasm_emitter import Emitter
from .wasm_expr import render
from .wasm_loops import UNROLL, call_nest, load_or_splat, store_run

if TYPE_CHECKING:
    from ..kernels.base import Tensor

LONG = 12  # primitives from which an expression is its own unrolling


@dataclass(frozen=True, slots=True)
class View:
    """An operand of a nest: its first element in the heap, its stride along each axis."""

    offset: int
    strides: Shape


def view(t: "Tensor", shape: Shape) -> View:
    """The tensor broadcast to `shape`."""
    return View(t.offset, broadcast_strides(t.shape, t.strides, shape))


def padded_shape(t: "Tensor") -> Shape:
    """The tensor's shape with the padding lanes of its pixels, as far as they fill a vector.
    Writing them spares a run its tail and joins pixels to rows."""
    if len(t.shape) != 4:
        return t.shape
    channels = -(-t.shape[3] // 4) * 4
    return (*t.shape[:3], channels if t.strides[2] >= channels else t.shape[3])


def emit_map(e: Emitter, expr: Expr, shape: Shape, out: View, ins: Sequence[View]) -> None:
    """out = expr(*ins) in the current step. `out` may be one of `ins`."""
    lengths, strides = lane_nest(shape, [out, *ins])
    kinds = tuple(s[-1] == 1 for s in strides[1:])
    function = e.kernel(("map", expr, kinds), partial(_build, e, expr, kinds))
    call_nest(e, function, lengths[:-2], [s[:-2] for s in strides],
              [v.offset for v in (out, *ins)],
              (lengths[-1], lengths[-2], *(4 * s[-2] for s in strides)))


def emit_fill(e: Emitter, value: float, shape: Shape, out: View) -> None:
    emit_map(e, const(value), shape, out, [])


def lane_nest(shape: Shape, views: Sequence[View]) -> tuple[Shape, list[Shape]]:
    """The collapsed nest of at least two axes. Along the innermost, the lanes, every operand
    steps by 1 or stays; if no axis is like that, it has length 1."""
    lengths, strides = collapse(shape, [v.strides for v in views])
    if not lengths or any(s[-1] not in (0, 1) for s in strides):
        lengths, strides = (*lengths, 1), [(*s, 1) for s in strides]
    if len(lengths) == 1:
        lengths, strides = (1, *lengths), [(0, *s) for s in strides]
    return lengths, strides


def _build(e: Emitter, expr: Expr, kinds: tuple[bool, ...]) -> Function:
    """map(out, *ins, n, rows, out step, *in steps): rows of n elements, steps in bytes. kinds[i]
    tells an operand that walks along a row from one that is the same all along it."""
    count = len(kinds)
    f = Function("map", [I32] * (2 * count + 4))
    n, rows = count + 1, count + 2
    steps = range(count + 3, 2 * count + 4)
    at = [f.local() for _ in range(count + 1)]
    left = f.local()
    held = f.many(count)
    with f.times(rows):
        for i in range(count + 1):
            f.get(i).set(at[i])
        for i, walks in enumerate(kinds):
            if not walks:
                load_or_splat(e, f, False, at[i + 1], held[i])

        def compute(k: int) -> list[int]:
            loaded = [f.many(k) if walks else [x] * k
                      for walks, x in zip(kinds, held, strict=True)]
            values = f.many(k)
            for v in range(k):
                for i, walks in enumerate(kinds):
                    if walks:
                        load_or_splat(e, f, True, at[i + 1], loaded[i][v], 16 * v)
                render(expr, f, [x[v] for x in loaded], e)
                f.set(values[v])
            return values

        f.get(n).set(left)
        walking = [a for a, walks in zip(at[1:], kinds, strict=True) if walks]
        store_run(f, left, at[0], walking, compute, UNROLL if _size(expr) < LONG else 1)
        for pointer, step in enumerate(steps):
            f.add_local(pointer, step)
    return f


def _size(expr: Expr) -> int:
    return bool(expr.args) + sum(map(_size, expr.args))
