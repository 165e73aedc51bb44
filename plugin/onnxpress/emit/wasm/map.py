"""Maps: an expression over strided operands, element by element. Pointwise operators, copies,
fills and the last pass of a normalization are maps."""

from collections.abc import Sequence
from functools import partial

from ...graph.expr import Expr, const, inp
from ...graph.graph import Shape
from .asm import I32, Function
from .emitter import Emitter
from .expr import hold_constants, operations, render
from .loops import UNROLL, load_or_splat, store_run
from .nest import Nest, View, blocks, call_nest, lane_nest, share_nest
from .share import sync

# Both chosen by trial.
LONG = 12  # operations: a longer expression fills the processor's pipeline without unrolling
SPAN = 64  # f32 elements: rows shorter than half of it are joined to rows of about this length


def emit_map(e: Emitter, expr: Expr, shape: Shape, out: View, ins: Sequence[View],
             scratch: int | None = None) -> None:
    """out = expr(*ins) in the current step. `out` may be one of `ins`. `scratch`: heap index of
    `map_scratch(...)` elements, with which short rows are joined to long ones."""
    nest = lane_nest(shape, [out, *ins])
    for part in [nest] if scratch is None else _long_rows(e, nest, scratch):
        kinds = tuple(s[-1] == 1 for s in part.strides[1:])
        function = e.kernel(("map", expr, kinds), partial(_build, e, expr, kinds))
        with share_nest(e, part) as mine:
            call_nest(e, function, mine.ordered(range(len(mine.lengths) - 2)),
                      (*mine.lengths[:-3:-1], *mine.steps(-2)))


def emit_fill(e: Emitter, value: float, shape: Shape, out: View) -> None:
    """out = value"""
    emit_map(e, const(value), shape, out, [])


def map_scratch(shape: Shape, operands: int) -> int:
    """f32 elements of scratch for a map over `shape` with `operands` operands."""
    return SPAN * operands if shape and shape[-1] <= SPAN // 2 else 0


def _long_rows(e: Emitter, nest: Nest[int], scratch: int) -> list[Nest[int]]:
    """The nest with several rows joined to one. Rows must follow each other without a gap, and
    some operand must be equal in all of them, as a vector over few channels is: that operand is
    written out several times, one after another, at `scratch`."""
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
        for part in blocks(nest, len(nest.lengths) - 2, count)
    ]


def _build(e: Emitter, expr: Expr, kinds: tuple[bool, ...]) -> Function:
    """The function map(out, *ins, n, rows, out step, *in steps): `rows` rows of `n` elements; a
    step is the distance of two rows in bytes. `kinds[i]`: operand i walks along a row; if False,
    one element of it serves the whole row."""
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
        store_run(f, left, at[0], walking, compute, UNROLL if operations(expr) < LONG else 1)
        for pointer, step in enumerate(steps):
            f.add_local(pointer, step)
    return f
