"""Folds: sums, products and extrema of an expression over axes of strided operands.

A lane folds at most BLOCK terms into a partial result, and partial results are folded into the
output one after another. So the rounding error grows with BLOCK plus the number of blocks, not with
their product.
"""

from collections.abc import Sequence
from functools import partial
from math import inf

from ...graph.expr import Expr, inp
from ...graph.graph import Shape
from .asm import I32, Function
from .emitter import Emitter
from .expr import hold_constants, render
from .loops import at_least, first_lanes, load_or_splat, store_run
from .map import emit_fill
from .nest import Nest, View, blocks, call_nest, lane_nest, share_nest
from .share import sync

# kind -> (instruction, neutral element)
FOLDS = {
    "sum": ("f32x4.add", 0.0),
    "prod": ("f32x4.mul", 1.0),
    "max": ("f32x4.pmax", -inf),
    "min": ("f32x4.pmin", inf),
}
BLOCK = 128  # terms of one lane; chosen by trial
LANES = 16  # elements of a row that one round takes: four accumulators of four lanes


def emit_reduce(e: Emitter, kind: str, shape: Shape, out: View, ins: Sequence[View],
                expr: Expr | None = None) -> None:
    """out = the fold of expr(*ins) in the current step, over the axes along which `out` has stride
    0. `expr` is the first operand by default."""
    emit_fill(e, FOLDS[kind][1], *_kept(shape, out))
    sync(e)
    expr = inp(0) if expr is None else expr
    nest = lane_nest(shape, [out, *ins])
    (_down if nest.strides[0][-1] else _across)(e, kind, expr, nest)


def _kept(shape: Shape, out: View) -> tuple[Shape, View]:
    """The output's own shape, with length 1 along folded axes, and its view."""
    return tuple(n if s else 1 for n, s in zip(shape, out.strides, strict=True)), out


# --- lanes are elements of the output -------------------------------------------------------------


def _down(e: Emitter, kind: str, expr: Expr, nest: Nest[int]) -> None:
    """One call folds the innermost folded axis, for a run of lanes; there is a call for each index
    of all other axes."""
    lanes = len(nest.lengths) - 1
    folded = [a for a in range(lanes) if nest.strides[0][a] == 0]
    axis = folded[-1] if folded else lanes
    if not folded:
        nest = Nest((*nest.lengths[:-1], 1, nest.lengths[-1]),
                    tuple((*s[:-1], 0, s[-1]) for s in nest.strides), nest.offsets)
        lanes += 1
    nest = nest.ordered([*(a for a in range(lanes) if a != axis), axis, lanes])
    for part in blocks(nest, lanes - 1, BLOCK):
        kinds = tuple((s[-1] == 1, s[-2] == 0) for s in part.strides[1:])
        function = e.kernel(("down", kind, expr, kinds),
                            partial(_build_down, e, kind, expr, kinds))
        with share_nest(e, part) as mine:
            call_nest(e, function, mine.ordered(range(lanes)),
                      (*mine.lengths[:-3:-1], *mine.steps(-2)[1:]))


def _build_down(e: Emitter, kind: str, expr: Expr,
                kinds: tuple[tuple[bool, bool], ...]) -> Function:
    """The function down(out, *ins, n, count, *in steps): out[i] = fold(out[i], `count` terms of
    lane i) for i < n; a step is the distance of two terms in bytes. `kinds[i]`: (operand i walks
    along the lanes, operand i is equal for all terms)."""
    operands = range(1, len(kinds) + 1)
    f = Function("down", [I32] * (2 * len(kinds) + 3))
    n, count = len(kinds) + 1, len(kinds) + 2
    op, neutral = FOLDS[kind]
    at = [f.local() for _ in operands]
    terms = f.local()
    constants = hold_constants(expr, f)

    def compute(k: int) -> list[int]:
        sums = f.many(k)
        values = [f.many(k) for _ in kinds]

        def load(same: bool) -> None:
            for i, (walks, fixed) in enumerate(kinds):
                for v in range(k if fixed == same else 0):
                    load_or_splat(e, f, walks, at[i], values[i][v], 16 * v)

        for s in sums:
            f.f32x4(neutral).set(s)
        for i in operands:
            f.get(i).set(at[i - 1])
        load(True)
        f.get(count).set(terms)
        with f.times(terms):
            load(False)
            for v, s in enumerate(sums):
                f.get(s)
                render(expr, f, [x[v] for x in values], e, constants, inline=True)
                f.op(op).set(s)
            for i, (_, fixed) in enumerate(kinds):
                if not fixed:
                    f.add_local(at[i], count + 1 + i)
        for v, s in enumerate(sums):
            f.get(0).load("v128.load", 16 * v).get(s).op(op).set(s)
        return sums

    walking = [i for i, (walks, _) in zip(operands, kinds, strict=True) if walks]
    store_run(f, n, 0, walking, compute)
    return f


# --- lanes are terms of one sum -------------------------------------------------------------------


def _across(e: Emitter, kind: str, expr: Expr, nest: Nest[int]) -> None:
    """One call folds rows of at most BLOCK * LANES terms; its rows run along the longest of the
    other axes."""
    lanes = len(nest.lengths) - 1
    for part in blocks(nest, lanes, BLOCK * LANES):
        kinds = tuple(s[-1] == 1 for s in part.strides[1:])
        function = e.kernel(("across", kind, expr, kinds),
                            partial(_build_across, e, kind, expr, kinds))
        row = part.lengths.index(max(part.lengths[:-1]))
        with share_nest(e, part) as mine:
            call_nest(e, function, mine.ordered([a for a in range(lanes + 1) if a != row]),
                      (mine.lengths[-1], mine.lengths[row], *mine.steps(row)))


def _build_across(e: Emitter, kind: str, expr: Expr, kinds: tuple[bool, ...]) -> Function:
    """The function across(out, *ins, n, rows, out step, *in steps): out = fold(out, `n` terms) for
    each row; a step is the distance of two rows in bytes. `kinds[i]`: operand i walks along a row;
    if False, one element of it serves the whole row."""
    operands = range(1, len(kinds) + 1)
    f = Function("across", [I32] * (2 * len(kinds) + 4))
    n, rows = len(kinds) + 1, len(kinds) + 2
    op, neutral = FOLDS[kind]
    at = [f.local() for _ in operands]
    left, sums, values = f.local(), f.many(4), f.many(len(kinds))
    constants = hold_constants(expr, f)

    def term(v: int) -> None:
        for i, walks in enumerate(kinds):
            if walks:
                load_or_splat(e, f, True, at[i], values[i], 16 * v)
        render(expr, f, values, e, constants, inline=True)

    with f.times(rows):
        for i, walks in enumerate(kinds):
            f.get(i + 1).set(at[i])
            if not walks:
                load_or_splat(e, f, False, at[i], values[i])
        for s in sums:
            f.f32x4(neutral).set(s)
        f.get(n).set(left)
        for k in (LANES // 4, 1):
            with at_least(f, left, 4 * k):
                for v in range(k):
                    f.get(sums[v])
                    term(v)
                    f.op(op).set(sums[v])
                for i, walks in enumerate(kinds):
                    if walks:
                        f.add(at[i], 16 * k)
        f.get(left)
        with f.if_():
            term(0)
            f.f32x4(neutral)
            first_lanes(f, left)
            f.op("v128.bitselect").get(sums[1]).op(op).set(sums[1])
        _fold_lanes(f, op, sums)
        f.get(0)
        e.splat(f, 0, 0)
        f.get(sums[0]).op(op).set(sums[0])
        f.get(sums[0]).store_lane("v128.store32_lane", 0)
        for pointer in (0, *operands):
            f.add_local(pointer, rows + 1 + pointer)
    return f


def _fold_lanes(f: Function, op: str, sums: Sequence[int]) -> None:
    """sums[0] = the fold of all 16 lanes of the four vectors, in each lane."""
    a, b, c, d = sums
    f.get(a, b).op(op).get(c, d).op(op, op).set(a)
    f.get(a).get(a, a).shuffle(2, 3, 0, 1).op(op).set(a)
    f.get(a).get(a, a).shuffle(1, 0, 3, 2).op(op).set(a)
