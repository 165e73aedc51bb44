"""softmax in JavaScript: the maximum, the sum of exponentials, then the quotients."""

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...emit.loops import collapse, nest
from ...graph.graph import Graph, Node
from ...ops.reduce import Softmax


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], Softmax.of(step.node)
    axis = attrs.axis
    others = [a for a in range(len(x.shape)) if a != axis]
    lengths, (y_steps, x_steps) = collapse(
        tuple(x.shape[a] for a in others),
        [tuple(t.strides[a] for a in others) for t in (out, x)])
    loops = nest(len(lengths), {"y": "y", "x": "x"})
    name = program.function("softmax", nest=loops, log=attrs.log)
    program.call(name, out.offset, x.offset, x.shape[axis], out.strides[axis], x.strides[axis],
                 *lengths, *y_steps, *x_steps)
