"""resize2d in JavaScript: tables of the module hold the taps of rows and of columns."""

from itertools import chain

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...graph.graph import Graph, Node
from ...ops.sample import Resize2d


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    x, out = step.inputs[0], step.outputs[0]
    rows, columns = Resize2d.of(step.node).rows, Resize2d.of(step.node).cols
    taps = (len(rows[0][0]), len(columns[0][0]))
    plain = taps == (1, 1) and all(w == 1 for w in chain(*rows[1], *columns[1]))
    name = program.function("resize2d", rows=taps[0], columns=taps[1], plain=plain)
    weights = () if plain else (
        program.table("Float64", chain(*rows[1])), program.table("Float64", chain(*columns[1])))
    program.call(
        name, x.offset, x.strides[0], out.offset, *out.strides[:3], *out.shape,
        program.table("Int32", (i * x.strides[1] for i in chain(*rows[0]))),
        program.table("Int32", (i * x.strides[2] for i in chain(*columns[0]))), *weights,
    )
