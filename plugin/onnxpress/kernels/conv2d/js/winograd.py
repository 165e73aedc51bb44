"""Winograd's F(4x4, 3x3) in JavaScript, for convolutions of stride 1 with windows of 2 or 3 rows
and columns. A side of 2 counts as 3 with a last tap of 0."""

from math import prod

from ....emit.js.epilogue import epilogue
from ....emit.js.module import JsModule
from ....emit.layout import Halo, Packing, Step, round_up
from ....graph.graph import Node, Shape
from ....ops.conv import Conv2d

# All chosen by trial.
CHANNELS = 8  # with fewer channels, the transforms of a 3x3 window take more time than they save
SIDE = 8  # rows and columns; smaller outputs leave tiles empty, and the weights grow fourfold
CACHED = 1 << 17  # elements of transformed tiles, which stay in the L2 cache
TILES = 12  # the fewest tiles of a block: each of them uses a weight that has been loaded


def suits(node: Node, w: Shape, out: Shape) -> bool:
    """Whether Winograd's algorithm speeds up the convolution with weights w and output out."""
    attrs = Conv2d.of(node)
    unit = all(n == 1 for n in (*attrs.strides, *attrs.dilations, attrs.groups))
    saved = 16 * prod(w[:2]) - 36  # products saved per tile and pair of channels
    return (unit and set(w[:2]) <= {2, 3} and min(out[1:3]) >= SIDE
            and min(w[2:]) * saved >= CHANNELS * (16 * 9 - 36))


def packing(w: Shape) -> Packing:
    """36 transformed weights for each pair of channels; pack_winograd.js computes them."""
    return Packing("winograd", 36 * w[2] * round_up(w[3], 4), w)


def scratch(w: Shape) -> int:
    """Elements of V and M, the transformed tiles of one block before and after the products."""
    return 36 * _block(w) * (w[2] + round_up(w[3], 4))


def _block(w: Shape) -> int:
    """Tiles of a block, a multiple of 3."""
    fitting = CACHED // (36 * (w[2] + round_up(w[3], 4)))
    return max(TILES, fitting - fitting % 3)


def halo(node: Node, x: Shape, out: Shape) -> Halo:
    """The halo of x that whole tiles read: a tile of 4x4 outputs reads 6x6 pixels, which may lie
    beyond the padding."""
    pads, mode = Conv2d.of(node).pads, Conv2d.of(node).pad_mode
    top, left, bottom, right = pads
    below = max(bottom, round_up(out[1], 4) + 2 - top - x[1])
    beyond = max(right, round_up(out[2], 4) + 2 - left - x[2])
    extent = (top, left, below, beyond)
    return Halo(extent) if mode == "zero" else Halo(extent, pads, mode)


def emit(step: Step, program: JsModule) -> None:
    x, w, b, *extras = step.inputs
    out, (top, left, _, _) = step.outputs[0], Conv2d.of(step.node).pads
    image, row, pixel, _ = x.strides
    program.packer("winograd")
    last = epilogue(step.node, out, tuple(extras))
    sums = program.sums(36)
    name = program.function(
        "conv2d", "js/winograd.js", last=last, sums=sums,
        input=program.function("conv2d", "js/winograd_input.js", sums=sums),
        product=program.function("conv2d", "js/winograd_product.js"))
    program.call(
        name, x.offset - top * row - left * pixel, image, row, pixel, out.offset,
        *out.strides[:3], *out.shape[:3], *w.shape[2:], w.offset, b.offset, step.scratch,
        _block(w.shape), *last.values,
    )
