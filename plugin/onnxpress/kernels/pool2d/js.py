"""pool2d in JavaScript: windows are clipped to the image, so it needs no halo."""

from ...emit.js.module import JsModule
from ...emit.layout import Needs, Step
from ...graph.graph import Graph, Node
from ...ops.pool import Pool2d


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, program: JsModule) -> None:
    x, out, attrs = step.inputs[0], step.outputs[0], Pool2d.of(step.node)
    top, left, bottom, right = attrs.pads
    # An average that counts the padding divides by the window's pixels inside the padded image.
    border = (bottom, right) if attrs.count_include_pad else None
    name = program.function("pool2d", kind=attrs.kind, padded=border is not None)
    program.call(
        name, x.offset, *x.strides[:3], x.shape[1], x.shape[2], out.offset, *out.strides[:3],
        *out.shape, *attrs.kernel, *attrs.strides, *attrs.dilations, top, left,
        *(border or (0, 0)),
    )
