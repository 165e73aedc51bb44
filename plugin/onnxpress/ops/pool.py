"""pool2d: the maximum or average over windows of x[N,H,W,C] -> [N,OH,OW,C].

Windows are clipped to the padded input. An average counts the cells of x, and also the padded cells
if count_include_pad. It never counts cells beyond the padding.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from ..graph.graph import Attrs, Node, Shape
from .base import EVERY_TARGET, Arrays, Op, Shapes, doubles, need
from .samples import windows


@dataclass(frozen=True, kw_only=True)
class Pool2d(Attrs):
    """`kind`: "max" or "avg". `kernel`, `strides`, `dilations`: (H, W) in cells. `pads`: cells at
    the top, left, bottom and right. `size`: (OH, OW)."""

    op: ClassVar[str] = "pool2d"
    kind: str
    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]
    count_include_pad: bool
    size: tuple[int, int]


def _infer(node: Node, shapes: Shapes) -> tuple[Shape]:
    pool, (n, h, w, c) = Pool2d.of(node), shapes[0]
    for axis, (length, out) in enumerate(zip((h, w), pool.size, strict=True)):
        last = (out - 1) * pool.strides[axis]
        need(out > 0 and last < length + pool.pads[axis] + pool.pads[axis + 2],
             f"{out} windows do not start inside {length} cells")
    return ((n, *pool.size, c),)


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    pool, (x,) = Pool2d.of(node), doubles(arrays)
    ((n, oh, ow, c),) = _infer(node, [x.shape])
    (kh, kw), (sy, sx), (dy, dx) = pool.kernel, pool.strides, pool.dilations
    top, left, bottom, right = pool.pads
    _, h, w, _ = x.shape
    largest = pool.kind == "max"
    below = max(0, (oh - 1) * sy + (kh - 1) * dy + 1 - h - top)
    beyond = max(0, (ow - 1) * sx + (kw - 1) * dx + 1 - w - left)
    x = np.pad(x, ((0, 0), (top, below), (left, beyond), (0, 0)),
               constant_values=-np.inf if largest else 0.0)
    counted = np.zeros(x.shape[1:3])
    if pool.count_include_pad:
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
    return prod(Pool2d.of(node).kernel) * prod(_infer(node, shapes)[0])


def _ulps(node: Node, shapes: Shapes) -> float:
    return 0.0 if _picks(node) else prod(Pool2d.of(node).kernel) + 2.0


def _picks(node: Node) -> bool:
    return Pool2d.of(node).kind == "max"


OPS = (
    Op(attrs=Pool2d, outputs=("out",),
       infer=_infer, reference=_reference, flops=_flops, ulps=_ulps,
       own=None, weights_rank=None, picks=_picks, follows=None, samples=windows(1),
       moves=None, alias=None, reads_by_data=(), kernel="pool2d", targets=EVERY_TARGET),
)
