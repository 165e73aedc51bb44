"""argmax in WebAssembly: four neighbouring outputs at once; each lane keeps its best element."""

from functools import partial
from math import inf

from ...emit.layout import Needs, Step
from ...emit.wasm.asm import Function, function
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.loops import store_run
from ...emit.wasm.nest import View, call_nest, lane_nest, share_nest, view
from ...graph.graph import Graph, Node
from ...ops.reduce import ArgMax


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, e: Emitter) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], ArgMax.of(step.node)
    axis = attrs.axis
    nest = lane_nest(out.shape, [view(out, out.shape), View(x.offset, x.strides)])
    variant = attrs.largest, attrs.select_last
    best = e.kernel(("argmax", *variant), partial(_build, *variant))
    with share_nest(e, nest) as mine:
        call_nest(e, best, mine.ordered(range(len(mine.lengths) - 2)),
                  (*mine.lengths[:-3:-1], x.shape[axis], *mine.steps(-2), 4 * x.strides[axis]))


def _build(largest: bool, last: bool) -> Function:
    """The function argmax(...): `rows` rows of `n` outputs, each over `count` elements that lie
    `step` bytes apart. `last`: of equal elements the last one wins."""
    f, p = function("argmax", "dst src n rows count dst_row src_row step")
    out, at, base, left, terms = (f.local() for _ in range(5))
    x, best, index, found = f.many(4)
    compare = ("f32x4.ge" if last else "f32x4.gt", "f32x4.le" if last else "f32x4.lt")

    def compute(k: int) -> list[int]:
        f.f32x4(-inf if largest else inf).set(best)
        f.f32x4(0.0).set(index).f32x4(0.0).set(found)
        f.get(base).set(at).get(p.count).set(terms)
        with f.times(terms):
            f.get(index)
            f.get(found)
            f.get(at).load("v128.load").tee(x).get(best).op(compare[not largest])
            f.op("v128.bitselect").set(found)
            f.get(x).get(best).op("f32x4.pmax" if largest else "f32x4.pmin").set(best)
            f.get(index).f32x4(1.0).op("f32x4.add").set(index)
            f.add_local(at, p.step)
        return [found]

    with f.times(p.rows):
        f.get(p.dst).set(out).get(p.src).set(base).get(p.n).set(left)
        store_run(f, left, out, [base], compute, unroll=1)
        f.add_local(p.dst, p.dst_row).add_local(p.src, p.src_row)
    return f
