"""cumsum in JavaScript: one running sum for each column, in doubles."""

from math import prod

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...graph.graph import Graph, Node
from ...ops.cumsum import CumSum


def needs(node: Node, graph: Graph) -> Needs:
    return Needs(strided=False)


def emit(step: Step, program: JsModule) -> None:
    (x,), (out,), cumsum = step.inputs, step.outputs, CumSum.of(step.node)
    length, inner = x.shape[cumsum.axis], prod(x.shape[cumsum.axis + 1 :])
    start, pitch = (inner * (length - 1), -inner) if cumsum.reverse else (0, inner)
    name = program.function("cumsum", exclusive=cumsum.exclusive)
    program.call(name, out.offset, x.offset, prod(x.shape[: cumsum.axis]), length, inner, start,
                 pitch)
