"""pointwise in JavaScript: the expression inside a loop nest."""

from itertools import chain

from ...emit.js.module import JsModule, assign, lift
from ...emit.layout import Needs, Step
from ...emit.loops import broadcast_strides, collapse, nest
from ...graph.graph import Graph, Node
from ...ops.pointwise import Pointwise


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    out = step.outputs[0]
    tensors = [out, *step.inputs]
    lengths, strides = collapse(
        out.shape, [broadcast_strides(t.shape, t.strides, out.shape) for t in tensors])
    names = ["y", *(f"x{i}" for i in range(len(step.inputs)))]
    loops = nest(len(lengths), {p: p for p in names})
    values = [f"v{i}" for i in range(len(step.inputs))]
    expr, numbers = lift(Pointwise.of(step.node).expr, len(values))
    constants = [f"k{i}" for i in range(len(numbers))]
    name = program.function(
        "pointwise", nest=loops, operands=names, constants=constants,
        loads=[(v, loops.at[p]) for v, p in zip(values, names[1:], strict=True)],
        store=assign(f"H[{loops.at['y']}]", expr, [*values, *constants]))
    program.call(name, *(t.offset for t in tensors), *numbers, *lengths, *chain(*strides))
