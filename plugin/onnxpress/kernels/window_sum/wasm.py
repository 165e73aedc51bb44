"""window_sum in WebAssembly: a copy of x, to which x is added once for each shift of the window."""

from ...emit.layout import Needs, Step
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.map import emit_map
from ...emit.wasm.nest import View
from ...emit.wasm.share import sync
from ...graph.expr import inp
from ...graph.graph import Graph, Node
from ...ops.reduce import WindowSum


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, e: Emitter) -> None:
    x, out, window = step.inputs[0], step.outputs[0], WindowSum.of(step.node)
    lo, hi = window.lo, window.hi
    channels = x.shape[-1]
    target = View(out.offset, out.strides)
    emit_map(e, inp(0), x.shape, target, [View(x.offset, x.strides)])
    for shift in (*range(-min(lo, channels - 1), 0), *range(1, min(hi, channels - 1) + 1)):
        first = max(0, -shift)
        sync(e)
        part = View(out.offset + first, out.strides)
        emit_map(e, inp(0) + inp(1), (*x.shape[:-1], channels - abs(shift)), part,
                 [part, View(x.offset + first + shift, x.strides)])
