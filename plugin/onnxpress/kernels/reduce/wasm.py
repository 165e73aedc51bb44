"""reduce in WebAssembly: a fold; a mean is a sum that a map divides."""

from math import prod

from ...emit.layout import Needs, Step
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.map import emit_map
from ...emit.wasm.nest import view
from ...emit.wasm.reduce import emit_reduce
from ...emit.wasm.share import sync
from ...graph.expr import inp
from ...graph.graph import Graph, Node
from ...ops.reduce import Reduce


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, e: Emitter) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], Reduce.of(step.node)
    kind = attrs.kind
    folded = view(out, x.shape)
    emit_reduce(e, "sum" if kind == "mean" else kind, x.shape, folded, [view(x, x.shape)])
    if kind == "mean":
        sync(e)
        count = prod(x.shape[a] for a in attrs.axes)
        emit_map(e, inp(0) / count, out.shape, folded, [folded])
