"""reduce in WebAssembly: one fold; a mean is a sum, divided."""

from math import prod

from ...emit.wasm_emitter import Emitter
from ...emit.wasm_map import emit_map
from ...emit.wasm_nest import view
from ...emit.wasm_reduce import emit_reduce
from ...emit.wasm_share import sync
from ...expr import inp
from ...graph import Graph, Node
from ...layout import Needs, Step


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, e: Emitter) -> None:
    x, out, kind = step.inputs[0], step.outputs[0], step.node.attrs["kind"]
    folded = view(out, x.shape)
    emit_reduce(e, "sum" if kind == "mean" else kind, x.shape, folded, [view(x, x.shape)])
    if kind == "mean":
        sync(e)
        count = prod(x.shape[a] for a in step.node.attrs["axes"])
        emit_map(e, inp(0) / count, out.shape, folded, [folded])
