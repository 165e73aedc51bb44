"""Winograd's F(4x4, 3x3) in JavaScript, for convolutions of stride 1.

A kernel is 3x3. A kernel with two rows or columns counts as 3x3 with last taps of 0.
"""

from math import prod

from ....emit.js.epilogue import epilogue
from ....emit.js.module import JsModule
from ....emit.layout import Halo, Packing, Step, round_up
from ....graph.graph import Node
from ....ops.conv import Conv2d

CHANNELS = 8  # of a 3x3 kernel; with fewer the transforms cost more than they save
SIDE = 8  # pixels; smaller images leave tiles empty, and the weights grow fourfold
CACHED = 1 << 17  # elements of transformed tiles that stay in the second-level cache
TILES = 12  # at least this many tiles use each weight


def suits(node: Node, w: tuple[int, ...], out: tuple[int, ...]) -> bool:
    """Whether Winograd's algorithm speeds up the convolution with weights `w`."""
    attrs = Conv2d.of(node)
    unit = all(n == 1 for n in (*attrs.strides, *attrs.dilations, attrs.groups))
    saved = 16 * prod(w[:2]) - 36  # products per tile and pair of channels
    return (unit and set(w[:2]) <= {2, 3} and min(out[1:3]) >= SIDE
            and min(w[2:]) * saved >= CHANNELS * (16 * 9 - 36))


def packing(w: tuple[int, ...]) -> Packing:
    return Packing("winograd", 36 * w[2] * round_up(w[3], 4), w)


def scratch(w: tuple[int, ...]) -> int:
    return 36 * _block(w) * (w[2] + round_up(w[3], 4))


def _block(w: tuple[int, ...]) -> int:
    fitting = CACHED // (36 * (w[2] + round_up(w[3], 4)))
    return max(TILES, fitting - fitting % 3)


def halo(node: Node, x: tuple[int, ...], out: tuple[int, ...]) -> Halo:
    """A border for whole tiles, which read 4 pixels and 2 cells more, past the padding too."""
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
