"""pool2d: the maximum or average over windows of x[N,H,W,C] -> [N,OH,OW,C].

Attributes: kind, kernel, strides, pads (top, left, bottom, right), dilations, count_include_pad,
size (OH, OW). Windows are clipped to the padded input: an average counts the cells of x, and the
padded cells too if count_include_pad, but never cells beyond the padding.
"""

from math import prod

import numpy as np

from ..graph.graph import Node
from .base import Arrays, Op, Shape, Shapes, doubles, need


def _infer(node: Node, shapes: Shapes) -> tuple[Shape]:
    n, h, w, c = shapes[0]
    size = tuple(node.attrs["size"])
    pads = node.attrs["pads"]
    for axis, (length, out) in enumerate(zip((h, w), size, strict=True)):
        last = (out - 1) * node.attrs["strides"][axis]
        need(out > 0 and last < length + pads[axis] + pads[axis + 2],
             f"{out} windows do not start inside {length} cells")
    return ((n, *size, c),)


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (x,) = doubles(arrays)
    ((n, oh, ow, c),) = _infer(node, [x.shape])
    (kh, kw), (sy, sx), (dy, dx) = (node.attrs[k] for k in ("kernel", "strides", "dilations"))
    top, left, bottom, right = node.attrs["pads"]
    _, h, w, _ = x.shape
    largest = node.attrs["kind"] == "max"
    below = max(0, (oh - 1) * sy + (kh - 1) * dy + 1 - h - top)
    beyond = max(0, (ow - 1) * sx + (kw - 1) * dx + 1 - w - left)
    x = np.pad(x, ((0, 0), (top, below), (left, beyond), (0, 0)),
               constant_values=-np.inf if largest else 0.0)
    counted = np.zeros(x.shape[1:3])
    if node.attrs["count_include_pad"]:
        counted[: top + h + bottom, : left + w + right] = 1
    else:
        counted[top : top + h, left : left + w] = 1
    out = np.full((n, oh, ow, c), -np.inf if largest else 0.0)
    cells = np.zeros((oh, ow))
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dy, i * dy + (oh - 1) * sy + 1, sy)
            cols = slice(j * dx, j * dx + (ow - 1) * sx + 1, sx)
            tap = x[:, rows, cols]
            out = np.maximum(out, tap) if largest else out + tap
            cells += counted[rows, cols]
    return (out if largest else out / np.maximum(cells, 1)[None, :, :, None],)


def _flops(node: Node, shapes: Shapes) -> int:
    return prod(node.attrs["kernel"]) * prod(_infer(node, shapes)[0])


def _ulps(node: Node, shapes: Shapes) -> float:
    return 0.0 if node.attrs["kind"] == "max" else prod(node.attrs["kernel"]) + 2.0


OPS = (Op("pool2d", _infer, _reference, _flops, _ulps),)
