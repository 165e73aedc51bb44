"""conv2d in JavaScript: depthwise, by Winograd's algorithm, or as a matrix product in tiles."""

from ....emit.js.module import JsModule
from ....emit.layout import Needs, Step, Want
from ....graph.graph import Graph, Node
from . import depthwise as js_depthwise
from . import tiles as js_tiles
from . import winograd as js_winograd


def needs(node: Node, graph: Graph) -> Needs:
    """A halo of x for the windows, packed weights, and scratch."""
    x, w, out = (graph.shape(n) for n in (*node.inputs[:2], node.name))
    constant = node.inputs[1] in graph.constants
    halo, packings, scratch = js_tiles.halo(node, x, w, out), {}, 0
    if constant and js_winograd.suits(node, w, out):
        halo = js_winograd.halo(node, x, out)
        packings, scratch = {1: js_winograd.packing(w)}, js_winograd.scratch(w)
    elif not js_depthwise.suits(node, x, w):
        packing = js_tiles.packing(node, w)
        packings, scratch = ({1: packing}, 0) if constant else ({}, packing.elements)
    residuals = [i for i in range(3, len(node.inputs)) if graph.shape(node.inputs[i]) == out]
    return Needs({0: Want(halo)}, packings=packings, scratch=scratch, same=tuple(residuals))


def emit(step: Step, program: JsModule) -> None:
    x, w = step.inputs[:2]
    if w.packing and w.packing.kind == "winograd":
        js_winograd.emit(step, program)
    elif js_depthwise.suits(step.node, x.shape, w.shape):
        js_depthwise.emit(step, program)
    else:
        js_tiles.emit(step, program)
