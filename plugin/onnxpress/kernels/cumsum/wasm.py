"""cumsum in WebAssembly: one running sum for each column, four columns at once where they lie side
by side."""

from functools import partial
from math import prod

from ...emit.layout import Needs, Step
from ...emit.wasm.asm import I32, V128, Function, function
from ...emit.wasm.emitter import Emitter, address
from ...emit.wasm.share import divide, share
from ...graph.graph import Graph, Node
from ...ops.cumsum import CumSum

LANES = 4


def needs(node: Node, graph: Graph) -> Needs:
    return Needs(strided=False)


def emit(step: Step, e: Emitter) -> None:
    """One call for each column of x[outer, length, inner], or for four; threads share the calls."""
    (x,), (out,), cumsum = step.inputs, step.outputs, CumSum.of(step.node)
    outer, length = prod(x.shape[: cumsum.axis]), x.shape[cumsum.axis]
    inner = prod(x.shape[cumsum.axis + 1 :])
    pitch, last = 4 * inner, 4 * inner * (length - 1)
    start, way = (last, -pitch) if cumsum.reverse else (0, pitch)
    wide = inner - inner % LANES
    for lanes, first_column, columns in ((LANES, 0, wide // LANES), (1, wide, inner - wide)):
        if not columns:
            continue
        key = ("cumsum", lanes, cumsum.exclusive)
        kernel = e.kernel(key, partial(_build, lanes, cumsum.exclusive))
        with share(e, outer * columns) as (first, many), e.times(many) as i:
            block, column = divide(e, first + i, columns)
            at = block * (4 * length * inner) + column * (4 * lanes) + (4 * first_column + start)
            e.call(kernel, at + address(out), at + address(x), length, way)


def _build(lanes: int, exclusive: bool) -> Function:
    """cumsum(...): the sums of n elements, or of `lanes` columns of them, `step` bytes apart."""
    f, p = function("cumsum", "dst src n step")
    left, total = f.local(I32), f.local(V128)

    def add() -> None:
        f.get(total, p.src).load("v128.load" if lanes > 1 else "v128.load32_zero")
        f.op("f32x4.add").set(total)

    def write() -> None:
        f.get(p.dst, total)
        if lanes > 1:
            f.store("v128.store")
        else:
            f.store_lane("v128.store32_lane", 0)

    f.get(p.n).set(left)
    with f.times(left):
        for part in (write, add) if exclusive else (add, write):
            part()
        f.add_local(p.dst, p.step).add_local(p.src, p.step)
    return f
