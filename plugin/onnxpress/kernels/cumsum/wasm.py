"""cumsum in WebAssembly: each row is the row before plus the terms, four columns at once where they
lie side by side."""

from functools import partial
from math import prod

from ...emit.layout import Needs, Step
from ...emit.wasm.asm import Function, function
from ...emit.wasm.emitter import Affine, Emitter, address
from ...emit.wasm.share import share
from ...graph.graph import Graph, Node
from ...ops.cumsum import CumSum

LANES = 4


def needs(node: Node, graph: Graph) -> Needs:
    return Needs(strided=False)


def emit(step: Step, e: Emitter) -> None:
    """Threads share the blocks of x[outer, length, inner], or the columns where these are more."""
    (x,), (out,), cumsum = step.inputs, step.outputs, CumSum.of(step.node)
    outer, length = prod(x.shape[: cumsum.axis]), x.shape[cumsum.axis]
    inner = prod(x.shape[cumsum.axis + 1 :])
    row, start = 4 * inner, 4 * inner * (length - 1) if cumsum.reverse else 0
    wide = inner - inner % LANES
    for lanes, first_column, columns in ((LANES, 0, wide // LANES), (1, wide, inner - wide)):
        if not columns:
            continue
        key = ("cumsum", lanes, cumsum.exclusive)
        kernel = e.kernel(key, partial(_build, lanes, cumsum.exclusive))
        with share(e, max(outer, columns)) as (first, many):
            blocks, some = (many, columns) if outer >= columns else (outer, many)
            block, column = (first, Affine()) if outer >= columns else (Affine(), first)
            with e.times(blocks) as i:
                at = (block + i) * (row * length) + column * (4 * lanes) + (
                    4 * first_column + start)
                e.call(kernel, at + address(out), at + address(x), some, length,
                       -row if cumsum.reverse else row)


def _build(lanes: int, exclusive: bool) -> Function:
    """cumsum(...): `columns` columns of n rows, `step` bytes apart, each as wide as `lanes`."""
    f, p = function("cumsum", "dst src columns n step")
    before, term, to, left, rows = (f.local() for _ in range(5))

    def load(local: int) -> Function:
        return f.get(local).load("v128.load" if lanes > 1 else "v128.load32_zero")

    def row(first: bool) -> None:
        """Writes the row at dst and moves dst on; src moves on where its terms are taken."""
        f.get(p.dst).set(to).get(p.src).set(term).get(p.columns).set(left)
        f.get(p.dst, p.step).op("i32.sub").set(before)
        with f.times(left):
            f.get(to)
            if first and exclusive:
                f.f32x4(0.0)
            else:
                load(term)
            if not first:
                load(before).op("f32x4.add")
            if lanes > 1:
                f.store("v128.store")
            else:
                f.store_lane("v128.store32_lane", 0)
            for local in (to, term, before):
                f.add(local, 4 * lanes)
        f.add_local(p.dst, p.step)
        if not (first and exclusive):
            f.add_local(p.src, p.step)

    row(first=True)
    f.get(p.n).i32(1).op("i32.sub").tee(rows)
    with f.if_(), f.times(rows):
        row(first=False)
    return f
