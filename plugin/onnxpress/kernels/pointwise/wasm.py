"""pointwise in WebAssembly: a map, or, if the node's attribute `out` names a storage for the
result, a conversion of its one operand."""

from ...emit.layout import Needs, Step, Want
from ...emit.wasm.convert import emit_convert
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.map import emit_map, map_scratch
from ...emit.wasm.nest import padded_shape, view
from ...graph.graph import Graph, Node
from ...graph.storage import F32
from ...ops.pointwise import Pointwise


def needs(node: Node, graph: Graph) -> Needs:
    stored = Pointwise.of(node).out
    if stored:
        return Needs(output=Want(align=4, storage=stored))
    return Needs(scratch=map_scratch(graph.shape(node.name), len(node.inputs)))


def emit(step: Step, e: Emitter) -> None:
    out, expr = step.outputs[0], Pointwise.of(step.node).expr
    if out.storage != F32:
        emit_convert(e, expr, out, step.inputs[0])
        return
    shape = padded_shape(out)
    emit_map(e, expr, shape, view(out, shape),
             [view(t, shape) for t in step.inputs], step.scratch)
