"""topk: x -> the `k` largest or smallest elements along `axis`, and their indices.

The best element is first. Of equal elements the one with the lower index is first. -0 equals 0.
NaN stands above all numbers: it is first among the largest and last among the smallest.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from ..graph.graph import Node, Shape
from .attrs import AlongAxis
from .base import EVERY_TARGET, Arrays, Op, Shapes, exact, need, never
from .layouts import rename_axis
from .samples import along


@dataclass(frozen=True, kw_only=True)
class TopK(AlongAxis):
    """`largest`: whether the largest elements are wanted, or else the smallest."""

    op: ClassVar[str] = "topk"
    k: int
    largest: bool


def _infer(node: Node, shapes: Shapes) -> tuple[Shape, ...]:
    (x,), topk = shapes, TopK.of(node)
    need(0 <= topk.axis < len(x), f"axis {topk.axis} does not exist in {x}")
    length = x[topk.axis]
    need(0 < topk.k <= length, f"there are no {topk.k} elements along axis {topk.axis} of {x}")
    out = (*x[: topk.axis], topk.k, *x[topk.axis + 1 :])
    return out, out


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray, ...]:
    (x,), topk = arrays, TopK.of(node)
    if topk.largest:
        # numpy sorts ascending, NaN last; our order is the reverse, but for the order of ties.
        backwards = np.flip(x, topk.axis).argsort(topk.axis, kind="stable")
        order = x.shape[topk.axis] - 1 - np.flip(backwards, topk.axis)
    else:
        order = x.argsort(topk.axis, kind="stable")
    indices = order.take(np.arange(topk.k), topk.axis)
    return np.take_along_axis(x, indices, topk.axis), indices


def _flops(node: Node, shapes: Shapes) -> int:
    """A comparison for each element, and log2(k) for each that enters a heap of k."""
    return prod(shapes[0]) * (1 + TopK.of(node).k.bit_length())


OPS = (
    Op(attrs=TopK, outputs=("values", "indices"),
       infer=_infer, reference=_reference, flops=_flops, ulps=exact,
       own=None, weights_rank=None, picks=never, follows=rename_axis, samples=along,
       moves=None, alias=None, reads_by_data=(), kernel="topk", targets=EVERY_TARGET),
)
