"""Operators that look elements up: resize2d through tables of taps, gather through indices.

- resize2d: x[N,H,W,C] -> [N,OH,OW,C]; out[n,y,x,c] is the sum over i and j of
  rows.weights[y][i] * cols.weights[x][j] * in[n, rows.indices[y][i], cols.indices[x][j], c].
- gather: x, indices -> the slices of x along `axis`. Negative indices count from the end.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from ..graph.graph import Attrs, Node, Shape
from .attrs import AlongAxis
from .base import EVERY_TARGET, Arrays, Op, Shapes, doubles, exact, free, need, never
from .samples import looked_up, windows

Taps = tuple[tuple[tuple[int, ...], ...], tuple[tuple[float, ...], ...]]


@dataclass(frozen=True, kw_only=True)
class Resize2d(Attrs):
    """`rows` and `cols`: (indices, weights), each with one tuple of taps for each row or column of
    the output."""

    op: ClassVar[str] = "resize2d"
    rows: Taps
    cols: Taps


@dataclass(frozen=True, kw_only=True)
class Gather(AlongAxis):
    op: ClassVar[str] = "gather"


def _infer_resize(node: Node, shapes: Shapes) -> tuple[Shape]:
    resize, (n, h, w, c) = Resize2d.of(node), shapes[0]
    for name, (indices, weights), length in (("rows", resize.rows, h), ("cols", resize.cols, w)):
        need(len(indices) == len(weights) > 0, f"{name} is not a table of taps")
        need(all(0 <= i < length for line in indices for i in line), f"{name} leaves the image")
    return ((n, len(resize.rows[0]), len(resize.cols[0]), c),)


def _matrix(taps: Taps, length: int) -> np.ndarray:
    """The taps as a dense matrix f64[outputs, length]."""
    indices, weights = taps
    matrix = np.zeros((len(indices), length))
    for row, line, weight in zip(matrix, indices, weights, strict=True):
        np.add.at(row, list(line), list(weight))
    return matrix


def _ref_resize(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    resize, (x,) = Resize2d.of(node), doubles(arrays)
    rows, cols = _matrix(resize.rows, x.shape[1]), _matrix(resize.cols, x.shape[2])
    tall = np.tensordot(rows, x, (1, 1)).transpose(1, 0, 2, 3)
    return (np.tensordot(cols, tall, (1, 2)).transpose(1, 2, 0, 3),)


def _taps(node: Node) -> int:
    resize = Resize2d.of(node)
    return len(resize.rows[0][0]) * len(resize.cols[0][0])


def _flops_resize(node: Node, shapes: Shapes) -> int:
    return 2 * _taps(node) * prod(_infer_resize(node, shapes)[0]) if _taps(node) > 1 else 0


def _ulps_resize(node: Node, shapes: Shapes) -> float:
    return 2.0 * _taps(node) if _taps(node) > 1 else 0.0


def _infer_gather(node: Node, shapes: Shapes) -> tuple[Shape]:
    (x, indices), axis = shapes, Gather.of(node).axis
    need(0 <= axis < len(x), f"axis {axis} does not exist in {x}")
    return ((*x[:axis], *indices, *x[axis + 1 :]),)


def _ref_gather(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    x, indices = arrays
    return (np.take(x, np.asarray(indices).astype(np.int64), axis=Gather.of(node).axis),)


OPS = (
    Op(attrs=Resize2d, outputs=("out",),
       infer=_infer_resize, reference=_ref_resize, flops=_flops_resize, ulps=_ulps_resize,
       own=None, weights_rank=None, picks=never, follows=None, samples=windows(1),
       moves=None, alias=None, reads_by_data=(), kernel="resize2d", targets=EVERY_TARGET),
    Op(attrs=Gather, outputs=("out",),
       infer=_infer_gather, reference=_ref_gather, flops=free, ulps=exact,
       own=None, weights_rank=None, picks=never, follows=None, samples=looked_up,
       moves=None, alias=None, reads_by_data=(0,), kernel="gather", targets=EVERY_TARGET),
)
