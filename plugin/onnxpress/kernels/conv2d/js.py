"""conv2d in JavaScript: an implicit matrix product over tiles of 3 pixels and 4 channels;
depthwise convolutions by 4 pixels of one channel."""

from math import prod

from ...emit.js_module import JsModule, assign
from ...expr import Expr, inp
from ...graph import Graph, Node
from ..base import Halo, Needs, Pack, Step, Want, round_up

PIXELS = 3  # 3 x 4 accumulators fit the 16 vector registers of x86; 4 x 4 spill
BLOCK = 1 << 14  # elements of input that stay in the first-level cache while weights pass by
WIDE = 7  # wider depthwise windows are not worth their unrolled columns


def needs(node: Node, graph: Graph) -> Needs:
    x, w, out = (graph.shape(n) for n in (*node.inputs[:2], node.outputs[0]))
    extras = range(3, len(node.inputs))
    packs, scratch = {}, 0
    if not _depthwise(node, x, w):
        pack = _pack(node, w)
        packs = {1: pack} if node.inputs[1] in graph.constants else {}
        scratch = 0 if packs else pack.elements
    return Needs(
        inputs={0: Want(_halo(node, x, w, out))}, packs=packs, scratch=scratch,
        same=tuple(i for i in extras if graph.shape(node.inputs[i]) == out),
    )


def _halo(node: Node, x: tuple[int, ...], w: tuple[int, ...], out: tuple[int, ...]) -> Halo:
    """The cells that some window reads, and the pads that a reflection must fill."""
    reach = [(out[1 + i] - 1) * node.attrs["strides"][i]
             + (w[i] - 1) * node.attrs["dilations"][i] + 1 for i in range(2)]
    pads = top, left, bottom, right = tuple(node.attrs["pads"])
    mode = node.attrs.get("pad_mode", "zero")
    if mode != "zero":
        return Halo(pads, pads, mode)
    return Halo((top, left, min(bottom, max(0, reach[0] - top - x[1])),
                 min(right, max(0, reach[1] - left - x[2]))))


def _depthwise(node: Node, x: tuple[int, ...], w: tuple[int, ...]) -> bool:
    return 1 < node.attrs["groups"] == x[3] == w[3] and w[1] <= WIDE


def _pack(node: Node, w: tuple[int, ...]) -> Pack:
    groups, depth = node.attrs["groups"], prod(w[:3])
    per_group = w[3] // groups
    return Pack("tiles", groups * round_up(per_group, 4) * depth, (depth, per_group, groups))


def emit(step: Step, program: JsModule) -> None:
    x, w = step.inputs[:2]
    if _depthwise(step.node, x.shape, w.shape):
        _emit_depthwise(step, program)
    else:
        _emit_tiles(step, program)


def _emit_tiles(step: Step, program: JsModule) -> None:
    x, w, b, *_ = step.inputs
    out, attrs = step.outputs[0], step.node.attrs
    (sy, sx), (dy, dx), groups = attrs["strides"], attrs["dilations"], attrs["groups"]
    pack = _pack(step.node, w.shape)
    packer, weights = program.packer(pack.kind), w.offset
    if w.pack is None:  # weights computed by the model
        weights = step.scratch
        program.call(packer, w.offset, weights, *pack.args)
    kh, kw, c, _ = w.shape
    images, height, width, _ = out.shape
    # A row of taps that lie side by side is one run of channels.
    side_by_side = groups == 1 and dx == 1 and x.strides[2] == c
    taps, run = (1, kw * c) if side_by_side else (kw, c)
    tile = 1 if height * width == 1 else PIXELS
    block = round_up(max(BLOCK // (x.shape[3] * sy * sx), 4 * tile), tile)
    read, extras = _extras(step)
    name = program.function(
        "conv2d", tile=tile, extras=[f"e{i}" for i in range(len(extras))],
        store=lambda i, j: assign(f"H[y{i} + {j}]", _epilogue(step.node), [f"c{i}{j}"] + [
            f"H[e{k} + {'y' if whole else 'z'}{i if whole else ''} + {j}]"
            for k, whole in enumerate(read)]),
    )
    program.call(
        name, x.offset - _corner(step), x.strides[0], sy * x.strides[1], sx * x.strides[2],
        out.offset, *out.strides[:3], images, height, width, weights, b.offset, groups, c,
        out.shape[3] // groups, kh, dy * x.strides[1], taps, dx * x.strides[2], run, block,
        *extras,
    )


def _corner(step: Step) -> int:
    """Elements from the first cell that a window reads to the first pixel of the input."""
    top, left, _, _ = step.node.attrs["pads"]
    strides = step.inputs[0].strides
    return top * strides[1] + left * strides[2]


def _epilogue(node: Node) -> Expr:
    return node.attrs.get("epilogue") or inp(0)


def _extras(step: Step) -> tuple[list[bool], list[int]]:
    """Per extra: is it as large as the output (or one vector of channels), and the offset to add
    to the output's index (or to the channel)."""
    out = step.outputs[0]
    whole = [t.shape == out.shape for t in step.inputs[3:]]
    return whole, [t.offset - out.offset * w for t, w in zip(step.inputs[3:], whole, strict=True)]


def _emit_depthwise(step: Step, program: JsModule) -> None:
    x, w, b, *_ = step.inputs
    out, attrs = step.outputs[0], step.node.attrs
    (sy, sx), (dy, dx) = attrs["strides"], attrs["dilations"]
    kh, kw, _, channels = w.shape
    images, height, width, _ = out.shape
    tile = min(4, width)
    read, extras = _extras(step)
    name = program.function(
        "conv2d", "depthwise.js", tile=tile, kw=kw, extras=[f"e{i}" for i in range(len(extras))],
        columns=[[i * sx + k * dx for k in range(kw)] for i in range(tile)],
        store=lambda i: assign(f"H[q + {i} * yPixel]", _epilogue(step.node), [f"c{i}"] + [
            f"H[e{k} + q + {i} * yPixel]" if whole else f"H[e{k} + c]"
            for k, whole in enumerate(read)]),
    )
    program.call(
        name, x.offset - _corner(step), x.strides[0], sy * x.strides[1], x.strides[2], sx,
        out.offset, *out.strides[:3], images, height, width, w.offset, b.offset, channels,
        kh, dy * x.strides[1], *extras,
    )
