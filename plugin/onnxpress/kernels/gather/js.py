"""gather in JavaScript: one run of elements for each index."""

from math import prod

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...graph.graph import Graph, Node
from ...ops.sample import Gather


def needs(node: Node, graph: Graph) -> Needs:
    return Needs(strided=False)


def emit(step: Step, program: JsModule) -> None:
    x, indices = step.inputs
    axis = Gather.of(step.node).axis
    program.call(program.function("gather"), x.offset, indices.offset, step.outputs[0].offset,
                 prod(x.shape[:axis]), x.shape[axis], prod(indices.shape),
                 prod(x.shape[axis + 1:]))
