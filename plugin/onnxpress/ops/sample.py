"""Operators that look elements up: resize2d through tables of taps, gather through indices.

- resize2d: x[N,H,W,C]; `rows` and `cols` are (indices, weights), a tuple of taps an output line:
  out[n,y,x,c] = sum over i, j of rows.w[y][i] * cols.w[x][j] * in[n,rows.i[y][i],cols.i[x][j],c].
- gather: x, indices: the slices of x along `axis`; negative indices count from the end.
"""

from math import prod

import numpy as np

from ..graph.graph import Node
from .base import Arrays, Op, Shape, Shapes, doubles, exact, free, need


def _infer_resize(node: Node, shapes: Shapes) -> tuple[Shape]:
    n, h, w, c = shapes[0]
    for name, length in (("rows", h), ("cols", w)):
        indices, weights = node.attrs[name]
        need(len(indices) == len(weights) > 0, f"{name} is not a table of taps")
        need(all(0 <= i < length for line in indices for i in line), f"{name} leaves the image")
    return ((n, len(node.attrs["rows"][0]), len(node.attrs["cols"][0]), c),)


def _matrix(taps: tuple, length: int) -> np.ndarray:
    """[outputs, length], the taps as a dense matrix."""
    indices, weights = taps
    matrix = np.zeros((len(indices), length))
    for row, line, weight in zip(matrix, indices, weights, strict=True):
        np.add.at(row, list(line), list(weight))
    return matrix


def _ref_resize(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (x,) = doubles(arrays)
    rows = _matrix(node.attrs["rows"], x.shape[1])
    cols = _matrix(node.attrs["cols"], x.shape[2])
    tall = np.tensordot(rows, x, (1, 1)).transpose(1, 0, 2, 3)
    return (np.tensordot(cols, tall, (1, 2)).transpose(1, 2, 0, 3),)


def _taps(node: Node) -> int:
    return len(node.attrs["rows"][0][0]) * len(node.attrs["cols"][0][0])


def _flops_resize(node: Node, shapes: Shapes) -> int:
    return 2 * _taps(node) * prod(_infer_resize(node, shapes)[0]) if _taps(node) > 1 else 0


def _ulps_resize(node: Node, shapes: Shapes) -> float:
    return 2.0 * _taps(node) if _taps(node) > 1 else 0.0


def _infer_gather(node: Node, shapes: Shapes) -> tuple[Shape]:
    (x, indices), axis = shapes, node.attrs["axis"]
    need(0 <= axis < len(x), f"axis {axis} does not exist in {x}")
    return ((*x[:axis], *indices, *x[axis + 1 :]),)


def _ref_gather(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    x, indices = arrays
    return (np.take(x, np.asarray(indices).astype(np.int64), axis=node.attrs["axis"]),)


OPS = (
    Op("resize2d", _infer_resize, _ref_resize, _flops_resize, _ulps_resize),
    Op("gather", _infer_gather, _ref_gather, free, exact),
)
