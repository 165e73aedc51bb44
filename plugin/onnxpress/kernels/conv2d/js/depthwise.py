"""Depthwise convolutions in JavaScript: neighbouring outputs of one channel share their loads."""

from ....emit.js.epilogue import epilogue
from ....emit.js.module import JsModule
from ....emit.layout import Step
from ....graph.graph import Node, Shape
from ....ops.conv import Conv2d

# Both chosen by trial.
PIXELS = 4  # neighbouring outputs computed together
WIDEST = 7  # columns of a window; the code is unrolled over them


def suits(node: Node, x: Shape, w: Shape) -> bool:
    """Whether each channel of x is a group of its own, with one output and few columns of w."""
    return 1 < Conv2d.of(node).groups == x[3] == w[3] and w[1] <= WIDEST


def emit(step: Step, program: JsModule) -> None:
    x, w, b, *extras = step.inputs
    out, attrs = step.outputs[0], Conv2d.of(step.node)
    (sy, sx), (dy, dx), (top, left, _, _) = attrs.strides, attrs.dilations, attrs.pads
    image, row, pixel, _ = x.strides
    kh, kw, _, channels = w.shape
    tile = min(PIXELS, out.shape[2])
    last = epilogue(step.node, out, tuple(extras))
    name = program.function(
        "conv2d", "js/depthwise.js", tile=tile, kw=kw, last=last,
        columns=[[i * sx + k * dx for k in range(kw)] for i in range(tile)],
    )
    program.call(
        name, x.offset - top * row - left * pixel, image, sy * row, pixel, sx, out.offset,
        *out.strides[:3], *out.shape[:3], w.offset, b.offset, channels, kh, dy * row,
        *last.values,
    )
