"""Convolutions in JavaScript as implicit matrix products, in tiles of 3 pixels x 4 channels."""

from math import prod

from ....emit.js.epilogue import epilogue
from ....emit.js.module import JsModule
from ....emit.layout import Halo, Packing, Step, round_up
from ....graph.graph import Node, Shape
from ....ops.conv import Conv2d

PIXELS = 3  # 3 x 4 accumulators fit the 16 vector registers of x86-64; 4 x 4 do not
BLOCK = 1 << 14  # elements of x, which stay in the L1 cache while all weights pass; by trial


def halo(node: Node, x: Shape, w: Shape, out: Shape) -> Halo:
    """The halo of x that the windows read, filled by the node's padding mode."""
    attrs = Conv2d.of(node)
    reach = [(out[1 + i] - 1) * attrs.strides[i] + (w[i] - 1) * attrs.dilations[i] + 1
             for i in range(2)]
    pads = top, left, bottom, right = attrs.pads
    if attrs.pad_mode != "zero":
        return Halo(pads, pads, attrs.pad_mode)
    return Halo((top, left, min(bottom, max(0, reach[0] - top - x[1])),
                 min(right, max(0, reach[1] - left - x[2]))))


def packing(node: Node, w: Shape) -> Packing:
    """The weights of each group in blocks of 4 output channels; pack_tiles.js writes them."""
    groups, depth = Conv2d.of(node).groups, prod(w[:3])
    per_group = w[3] // groups
    return Packing("tiles", groups * round_up(per_group, 4) * depth, (depth, per_group, groups))


def emit(step: Step, program: JsModule) -> None:
    x, w, b, *extras = step.inputs
    out, attrs = step.outputs[0], Conv2d.of(step.node)
    (sy, sx), (dy, dx), groups = attrs.strides, attrs.dilations, attrs.groups
    how = packing(step.node, w.shape)
    packer, weights = program.packer(how.kind), w.offset
    if w.packing is None:  # weights computed by the model
        weights = step.scratch
        program.call(packer, w.offset, weights, *how.args)
    kh, kw, c, _ = w.shape
    image, row, pixel, _ = x.strides
    # Taps of a row that lie side by side are one run.
    taps, run = (1, kw * c) if groups == 1 and dx == 1 and pixel == c else (kw, c)
    tile = 1 if prod(out.shape[1:3]) == 1 else PIXELS
    block = round_up(max(BLOCK // (x.shape[3] * sy * sx), 4 * tile), tile)
    last = epilogue(step.node, out, tuple(extras))
    name = program.function("conv2d", "js/kernel.js", tile=tile, last=last)
    program.call(
        name, x.offset - attrs.pads[0] * row - attrs.pads[1] * pixel, image, sy * row,
        sx * pixel, out.offset, *out.strides[:3], *out.shape[:3], weights, b.offset, groups, c,
        out.shape[3] // groups, kh, dy * row, taps, dx * pixel, run, block, *last.values,
    )
