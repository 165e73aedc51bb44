"""Halos in JavaScript: first the columns beside each row, then whole rows above and below."""

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...graph.graph import Graph, Node
from ...ops.halo import FillHalo


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    out, attrs = step.outputs[0], FillHalo.of(step.node)
    images, height, width, _ = out.shape
    image, row, pixel, _ = out.strides
    name = program.function("fill_halo", mode=attrs.mode)
    program.call(name, out.offset, images, height, width, image, row, pixel, *attrs.pads)
