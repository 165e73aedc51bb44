"""pointwise in WebAssembly: one map."""

from ...emit.wasm_emitter import Emitter
from ...emit.wasm_map import emit_map, map_scratch
from ...emit.wasm_nest import padded_shape, view
from ...graph import Graph, Node
from ...layout import Needs, Step


def needs(node: Node, graph: Graph) -> Needs:
    return Needs(scratch=map_scratch(graph.shape(node.name), len(node.inputs)))


def emit(step: Step, e: Emitter) -> None:
    out = step.outputs[0]
    shape = padded_shape(out)
    emit_map(e, step.node.attrs["expr"], shape, view(out, shape),
             [view(t, shape) for t in step.inputs], step.scratch)
