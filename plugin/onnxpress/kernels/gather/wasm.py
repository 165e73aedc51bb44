"""gather in WebAssembly: one run of elements for each index. Indices are clamped to the axis, so no
index in a visitor's data makes it read other memory."""

from functools import partial
from math import prod

from ...emit.layout import Needs, Step
from ...emit.wasm.asm import Function, function
from ...emit.wasm.emitter import Emitter, address
from ...emit.wasm.loops import store_run
from ...emit.wasm.share import share
from ...graph.graph import Graph, Node
from ...ops.sample import Gather


def needs(node: Node, graph: Graph) -> Needs:
    return Needs(strided=False)


def emit(step: Step, e: Emitter) -> None:
    x, indices = step.inputs
    out, axis = step.outputs[0], Gather.of(step.node).axis
    length, inner, count = x.shape[axis], prod(x.shape[axis + 1:]), prod(indices.shape)
    gather = e.kernel(("gather",), partial(_build, e))
    with share(e, count) as (first, many), e.times(prod(x.shape[:axis])) as i:
        e.call(gather, i * (4 * count * inner) + first * (4 * inner) + address(out),
               i * (4 * length * inner) + address(x), first * 4 + address(indices), many, inner,
               length)


def _build(e: Emitter) -> Function:
    """The function gather(...): copies `count` runs of `n` elements. A run is one of the `length`
    runs that begin at src; indices from -length on count from the end."""
    f, p = function("gather", "dst src indices count n length")
    row, out, left = f.local(), f.local(), f.local()
    index, bound = f.many(2)

    def compute(k: int) -> list[int]:
        values = f.many(k)
        for v, value in enumerate(values):
            f.get(row).load("v128.load", 16 * v).set(value)
        return values

    f.get(p.length).op("f32.convert_i32_s", "f32x4.splat").set(bound)
    with f.times(p.count):
        e.splat(f, p.indices, 0)
        f.set(index).get(bound).op("f32x4.neg").get(index).op("f32x4.pmax")  # NaN: the bound
        f.get(bound).f32x4(1.0).op("f32x4.sub", "f32x4.pmin").lane(0).op("i32.trunc_f32_s")
        f.tee(row).get(row).i32(31).op("i32.shr_s").get(p.length).op("i32.and", "i32.add")
        f.get(p.n).op("i32.mul").i32(2).op("i32.shl").get(p.src).op("i32.add").set(row)
        f.get(p.dst).set(out).get(p.n).set(left)
        store_run(f, left, out, [row], compute)
        f.get(p.dst, p.n).i32(2).op("i32.shl", "i32.add").set(p.dst).add(p.indices, 4)
    return f
