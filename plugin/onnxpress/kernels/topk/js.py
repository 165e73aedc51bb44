"""topk in JavaScript: a heap of the best k elements so far, then heapsort."""

from math import prod

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...graph.graph import Graph, Node
from ...ops.topk import TopK


def needs(node: Node, graph: Graph) -> Needs:
    return Needs(strided=False)


def emit(step: Step, program: JsModule) -> None:
    (x,), (values, indices), topk = step.inputs, step.outputs, TopK.of(step.node)
    name = program.function("topk", largest=topk.largest)
    program.call(name, x.offset, values.offset, indices.offset, prod(x.shape[: topk.axis]),
                 x.shape[topk.axis], topk.k, prod(x.shape[topk.axis + 1 :]))
