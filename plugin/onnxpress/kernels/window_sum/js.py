"""window_sum in JavaScript: each window of channels is added up on its own, in float64."""

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...emit.loops import collapse, nest
from ...graph.graph import Graph, Node
from ...ops.reduce import WindowSum


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], WindowSum.of(step.node)
    lengths, (y_steps, x_steps) = collapse(x.shape[:-1], [out.strides[:-1], x.strides[:-1]])
    name = program.function("window_sum", nest=nest(len(lengths), {"y": "y", "x": "x"}))
    program.call(name, out.offset, x.offset, x.shape[-1], attrs.lo, attrs.hi, *lengths,
                 *y_steps, *x_steps)
