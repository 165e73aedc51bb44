"""softmax in WebAssembly: the maximum, exponentials, their sum, and the division by it."""

from math import prod

from ...emit.layout import Needs, Step, dense_strides
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.map import emit_map
from ...emit.wasm.nest import View, view
from ...emit.wasm.reduce import emit_reduce
from ...emit.wasm.share import sync
from ...graph.expr import call, inp
from ...graph.graph import Graph, Node
from ...ops.reduce import Softmax


def needs(node: Node, graph: Graph) -> Needs:
    shape = graph.shape(node.inputs[0])
    return Needs(scratch=prod(shape) // shape[Softmax.of(node).axis])


def emit(step: Step, e: Emitter) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], Softmax.of(step.node)
    shape, axis = x.shape, attrs.axis
    kept = dense_strides((*shape[:axis], 1, *shape[axis + 1:]))
    line = View(step.scratch, (*kept[:axis], 0, *kept[axis + 1:]))
    source, target = view(x, shape), view(out, shape)
    emit_reduce(e, "max", shape, line, [source])
    sync(e)
    if attrs.log:
        emit_map(e, inp(0) - inp(1), shape, target, [source, line])
        sync(e)
        emit_reduce(e, "sum", shape, line, [target], call("exp", inp(0)))
        sync(e)
        emit_map(e, inp(0) - call("log", inp(1)), shape, target, [target, line])
    else:
        emit_map(e, call("exp", inp(0) - inp(1)), shape, target, [source, line])
        sync(e)
        emit_reduce(e, "sum", shape, line, [target])
        sync(e)
        emit_map(e, inp(0) / inp(1), shape, target, [target, line])
