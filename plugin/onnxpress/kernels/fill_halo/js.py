"""Halos in JavaScript: columns beside each row first, then whole rows above and below."""

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...graph.graph import Graph, Node


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    out = step.outputs[0]
    images, height, width, _ = out.shape
    image, row, pixel, _ = out.strides
    name = program.function("fill_halo", mode=step.node.attrs["mode"])
    program.call(name, out.offset, images, height, width, image, row, pixel,
                 *step.node.attrs["pads"])
