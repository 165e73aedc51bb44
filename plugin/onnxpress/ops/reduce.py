"""Operators that gather whole axes: reduce, softmax, normalize, argmax, window_sum.

- reduce: kind sum, mean, max, min or prod over `axes`, which keep length 1.
- softmax: along `axis`; `log` for its logarithm.
- normalize: x, scale, shift, *extras: (x - mean) / sqrt(var + eps) * scale + shift over `axes`,
  then the epilogue; scale and shift broadcast to x.
- argmax: index of the largest element along `axis` (`largest`), which keeps length 1; of equal
  elements the first, or the last (`select_last`).
- window_sum: out[..., c] = sum of x[..., j] for c - lo <= j <= c + hi inside the last axis.
"""

from math import prod

import numpy as np

from ..graph.expr import evaluate
from ..graph.graph import Node
from .base import Arrays, Op, Shape, Shapes, doubles, exact, need

_REDUCE = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod}


def _same(node: Node, shapes: Shapes) -> tuple[Shape]:
    return (tuple(shapes[0]),)


def _keep(shape: Shape, axes: tuple[int, ...]) -> tuple[Shape]:
    need(all(0 <= a < len(shape) for a in axes), f"axes {axes} do not exist in {shape}")
    return (tuple(1 if i in axes else n for i, n in enumerate(shape)),)


def _infer_reduce(node: Node, shapes: Shapes) -> tuple[Shape]:
    return _keep(shapes[0], tuple(node.attrs["axes"]))


def _infer_argmax(node: Node, shapes: Shapes) -> tuple[Shape]:
    return _keep(shapes[0], (node.attrs["axis"],))


def _infer_softmax(node: Node, shapes: Shapes) -> tuple[Shape]:
    _keep(shapes[0], (node.attrs["axis"],))
    return _same(node, shapes)


def _infer_normalize(node: Node, shapes: Shapes) -> tuple[Shape]:
    _keep(shapes[0], tuple(node.attrs["axes"]))
    need(np.broadcast_shapes(*shapes[:3]) == shapes[0],
         f"scale {shapes[1]} and shift {shapes[2]} do not broadcast to {shapes[0]}")
    return _same(node, shapes)


def _ref_reduce(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (x,) = doubles(arrays)
    return (_REDUCE[node.attrs["kind"]](x, axis=tuple(node.attrs["axes"]), keepdims=True),)


def _ref_softmax(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (x,), axis = doubles(arrays), node.attrs["axis"]
    shifted = x - x.max(axis, keepdims=True)
    total = np.exp(shifted).sum(axis, keepdims=True)
    return (shifted - np.log(total) if node.attrs["log"] else np.exp(shifted) / total,)


def _ref_normalize(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    x, scale, shift, *extras = doubles(arrays)
    axes = tuple(node.attrs["axes"])
    centred = x - x.mean(axes, keepdims=True)
    variance = (centred**2).mean(axes, keepdims=True)
    out = centred / np.sqrt(variance + node.attrs["eps"]) * scale + shift
    epilogue = node.attrs.get("epilogue")
    return (out if epilogue is None else evaluate(epilogue, [out, *extras]),)


def _ref_argmax(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (x,), axis = doubles(arrays), node.attrs["axis"]
    x = x if node.attrs["largest"] else -x
    if not node.attrs["select_last"]:
        return (np.argmax(x, axis, keepdims=True).astype(np.float64),)
    last = x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis, keepdims=True)
    return (last.astype(np.float64),)


def _ref_window_sum(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (x,), lo, hi = doubles(arrays), node.attrs["lo"], node.attrs["hi"]
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(lo, hi)])
    return (sum(padded[..., j : j + x.shape[-1]] for j in range(lo + hi + 1)),)


def _per_element(count: float):
    return lambda node, shapes: int(count * prod(shapes[0]))


def _window(node: Node) -> int:
    return node.attrs["lo"] + node.attrs["hi"] + 1


def _folded(node: Node, shapes: Shapes) -> int:
    return prod(shapes[0][a] for a in node.attrs["axes"])


def _ulps_reduce(node: Node, shapes: Shapes) -> float:
    return 0.0 if node.attrs["kind"] in ("max", "min") else _folded(node, shapes) + 2.0


OPS = (
    Op("reduce", _infer_reduce, _ref_reduce, _per_element(1), _ulps_reduce),
    Op("softmax", _infer_softmax, _ref_softmax, _per_element(5),
       lambda node, shapes: 3.0 * shapes[0][node.attrs["axis"]] + 3),
    Op("normalize", _infer_normalize, _ref_normalize, _per_element(7),
       lambda node, shapes: 3.0 * _folded(node, shapes) + 10),
    Op("argmax", _infer_argmax, _ref_argmax, _per_element(1), exact),
    Op("window_sum", _same, _ref_window_sum,
       lambda node, shapes: _window(node) * prod(shapes[0]),
       lambda node, shapes: float(_window(node))),
)
