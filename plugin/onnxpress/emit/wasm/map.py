"""An expression over strided operands, element by element: what pointwise operators, copies,
fills and the last pass of a normalisation are."""

from collections.abc import Sequence
from functools import partial

from ...graph.expr import Expr, const, inp
from ...graph.graph import Shape
from .asm import I32, Function
from .emitter import Emitter
from .expr import hold_constants, render, size
from .loops import UNROLL, load_or_splat, store_run
from .nest import Nest, View, call_nest, lane_nest, share_nest
from .share import sync

LONG = 12  # values from which an expression is its own unrolling
SPAN = 64  # elements to which an operand that repeats in shorter rows is written out


def emit_map(e: Emitter, expr: Expr, shape: Shape, out: View, ins: Sequence[View],
             scratch: int | None = None) -> None:
    """out = expr(*ins) in the current step. `out` may be one of `ins`. With `map_scratch` elements
    at `scratch`, short rows whose operands repeat become long ones."""
    nest = lane_nest(shape, [out, *ins])
    for part in [nest] if scratch is None else _long_rows(e, nest, scratch):
        kinds = tuple(s[-1] == 1 for s in part.strides[1:])
        function = e.kernel(("map", expr, kinds), partial(_build, e, expr, kinds))
        with share_nest(e, part) as mine:
            call_nest(e, function, mine.ordered(range(len(mine.lengths) - 2)),
                      (*mine.lengths[:-3:-1], *mine.steps(-2)))


def emit_fill(e: Emitter, value: float, shape: Shape, out: View) -> None:
    emit_map(e, const(value), shape, out, [])


def map_scratch(shape: Shape, operands: int) -> int:
    """Elements of scratch for a map of so many operands."""
    return SPAN * operands if shape and shape[-1] <= SPAN // 2 else 0


def _long_rows(e: Emitter, nest: Nest, scratch: int) -> list[Nest]:
    """The nest with several rows in one, where rows follow each other without a gap and some
    operand is the same in all of them, as a vector over few channels is."""
    n, rows = nest.lengths[-1], nest.lengths[-2]
    count = SPAN // n
    repeats = [s[-1] == 1 and not any(s[:-1]) for s in nest.strides]
    follows = [s[-2] == n * s[-1] for s in nest.strides]
    if rows <= count or count < 2 or not any(repeats) or not all(map(max, repeats, follows)):
        return [nest]
    offsets = list(nest.offsets)
    for i, repeat in enumerate(repeats):
        if repeat:
            offsets[i] = scratch + SPAN * (i - 1)
            emit_map(e, inp(0), (count, n), View(offsets[i], (n, 1)),
                     [View(nest.offsets[i], (0, 1))])
    sync(e)
    nest = Nest(nest.lengths, nest.strides, tuple(offsets))
    return [
        Nest((*part.lengths[:-2], part.lengths[-2] * n),
             tuple((*s[:-2], s[-1]) for s in part.strides), part.offsets)
        for part in nest.blocks(len(nest.lengths) - 2, count)
    ]


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
    constants = hold_constants(expr, f)
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
                render(expr, f, [x[v] for x in loaded], e, constants, inline=True)
                f.set(values[v])
            return values

        f.get(n).set(left)
        walking = [a for a, walks in zip(at[1:], kinds, strict=True) if walks]
        store_run(f, left, at[0], walking, compute, UNROLL if size(expr) < LONG else 1)
        for pointer, step in enumerate(steps):
            f.add_local(pointer, step)
    return f
