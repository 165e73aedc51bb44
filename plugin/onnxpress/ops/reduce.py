"""Operators that gather whole axes: reduce, softmax, normalize, argmax, window_sum.

- reduce: kind sum, mean, max, min or prod over `axes`, which keep length 1.
- softmax: along `axis`; `log` for its logarithm.
- normalize: x, scale, shift, *extras -> (x - mean) / sqrt(var + eps) * scale + shift, then the
  epilogue. The mean and var are taken over `axes`; scale and shift broadcast to x.
- argmax: the index of the largest element along `axis`, which keeps length 1; of the smallest if
  not `largest`. Of equal elements the first counts, or the last if `select_last`.
- window_sum: out[..., c] = sum of x[..., j] for c - lo <= j <= c + hi inside the last axis.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from ..graph.graph import Attrs, Node, Shape
from .attrs import AlongAxes, AlongAxis, WithEpilogue, finished
from .base import EVERY_TARGET, Arrays, Op, Shapes, doubles, exact, need, never
from .layouts import rename_axes, rename_axis
from .samples import along


@dataclass(frozen=True, kw_only=True)
class Reduce(AlongAxes):
    op: ClassVar[str] = "reduce"
    kind: str


@dataclass(frozen=True, kw_only=True)
class Softmax(AlongAxis):
    op: ClassVar[str] = "softmax"
    log: bool


@dataclass(frozen=True, kw_only=True)
class Normalize(WithEpilogue, AlongAxes):
    op: ClassVar[str] = "normalize"
    eps: float


@dataclass(frozen=True, kw_only=True)
class ArgMax(AlongAxis):
    op: ClassVar[str] = "argmax"
    largest: bool
    select_last: bool


@dataclass(frozen=True, kw_only=True)
class WindowSum(Attrs):
    op: ClassVar[str] = "window_sum"
    lo: int
    hi: int


_REDUCE = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod}


def _same(node: Node, shapes: Shapes) -> tuple[Shape]:
    return (tuple(shapes[0]),)


def _keep(shape: Shape, axes: tuple[int, ...]) -> tuple[Shape]:
    need(all(0 <= a < len(shape) for a in axes), f"axes {axes} do not exist in {shape}")
    return (tuple(1 if i in axes else n for i, n in enumerate(shape)),)


def _infer_reduce(node: Node, shapes: Shapes) -> tuple[Shape]:
    return _keep(shapes[0], Reduce.of(node).axes)


def _infer_argmax(node: Node, shapes: Shapes) -> tuple[Shape]:
    return _keep(shapes[0], (ArgMax.of(node).axis,))


def _infer_softmax(node: Node, shapes: Shapes) -> tuple[Shape]:
    _keep(shapes[0], (Softmax.of(node).axis,))
    return _same(node, shapes)


def _infer_normalize(node: Node, shapes: Shapes) -> tuple[Shape]:
    _keep(shapes[0], Normalize.of(node).axes)
    need(np.broadcast_shapes(*shapes[:3]) == shapes[0],
         f"scale {shapes[1]} and shift {shapes[2]} do not broadcast to {shapes[0]}")
    return _same(node, shapes)


def _ref_reduce(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    reduce, (x,) = Reduce.of(node), doubles(arrays)
    return (_REDUCE[reduce.kind](x, axis=reduce.axes, keepdims=True),)


def _ref_softmax(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    softmax, (x,) = Softmax.of(node), doubles(arrays)
    shifted = x - x.max(softmax.axis, keepdims=True)
    total = np.exp(shifted).sum(softmax.axis, keepdims=True)
    return (shifted - np.log(total) if softmax.log else np.exp(shifted) / total,)


def _ref_normalize(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    normalize, (x, scale, shift, *extras) = Normalize.of(node), doubles(arrays)
    centred = x - x.mean(normalize.axes, keepdims=True)
    variance = (centred**2).mean(normalize.axes, keepdims=True)
    out = centred / np.sqrt(variance + normalize.eps) * scale + shift
    return (finished(node, out, extras),)


def _ref_argmax(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (x,), argmax = doubles(arrays), ArgMax.of(node)
    x, axis = (x if argmax.largest else -x), argmax.axis
    if not argmax.select_last:
        return (np.argmax(x, axis, keepdims=True).astype(np.float64),)
    last = x.shape[axis] - 1 - np.argmax(np.flip(x, axis), axis, keepdims=True)
    return (last.astype(np.float64),)


def _ref_window_sum(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (x,), window = doubles(arrays), WindowSum.of(node)
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(window.lo, window.hi)])
    return (sum((padded[..., j : j + x.shape[-1]] for j in range(_window(node))),
                np.zeros(x.shape)),)


def _per_element(count: float):
    return lambda node, shapes: int(count * prod(shapes[0]))


def _window(node: Node) -> int:
    return WindowSum.of(node).lo + WindowSum.of(node).hi + 1


def _folded(node: Node, shapes: Shapes) -> int:
    return prod(shapes[0][a] for a in AlongAxes.of(node).axes)


def _ulps_reduce(node: Node, shapes: Shapes) -> float:
    return 0.0 if Reduce.of(node).kind in ("max", "min") else _folded(node, shapes) + 2.0


OPS = (
    Op(attrs=Reduce, outputs=("out",),
       infer=_infer_reduce, reference=_ref_reduce, flops=_per_element(1), ulps=_ulps_reduce,
       own=None, weights_rank=None, picks=never, follows=rename_axes, samples=along,
       moves=None, alias=None, reads_by_data=(), kernel="reduce", targets=EVERY_TARGET),
    Op(attrs=Softmax, outputs=("out",),
       infer=_infer_softmax, reference=_ref_softmax, flops=_per_element(5),
       ulps=lambda node, shapes: 3.0 * shapes[0][Softmax.of(node).axis] + 3,
       own=None, weights_rank=None, picks=never, follows=rename_axis, samples=along,
       moves=None, alias=None, reads_by_data=(), kernel="softmax", targets=EVERY_TARGET),
    Op(attrs=Normalize, outputs=("out",),
       infer=_infer_normalize, reference=_ref_normalize, flops=_per_element(7),
       ulps=lambda node, shapes: 3.0 * _folded(node, shapes) + 10,
       own=3, weights_rank=None, picks=never, follows=rename_axes, samples=along,
       moves=None, alias=None, reads_by_data=(), kernel="normalize", targets=EVERY_TARGET),
    Op(attrs=ArgMax, outputs=("out",),
       infer=_infer_argmax, reference=_ref_argmax, flops=_per_element(1), ulps=exact,
       own=None, weights_rank=None, picks=never, follows=rename_axis, samples=along,
       moves=None, alias=None, reads_by_data=(), kernel="argmax", targets=EVERY_TARGET),
    Op(attrs=WindowSum, outputs=("out",),
       infer=_same, reference=_ref_window_sum,
       flops=lambda node, shapes: _window(node) * prod(shapes[0]),
       ulps=lambda node, shapes: float(_window(node)),
       own=None, weights_rank=None, picks=never, follows=None,
       samples=lambda node, graph, samples: len(graph.shape(node.name)) > 1,
       moves=None, alias=None, reads_by_data=(), kernel="window_sum", targets=EVERY_TARGET),
)
