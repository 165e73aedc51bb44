"""cumsum: x -> the sums of all elements up to each one along `axis`."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from ..graph.graph import Node, Shape
from .attrs import AlongAxis
from .base import EVERY_TARGET, Arrays, Op, Shapes, doubles, need, never
from .layouts import rename_axis
from .samples import along


@dataclass(frozen=True, kw_only=True)
class CumSum(AlongAxis):
    """`exclusive`: a sum leaves out its own element. `reverse`: sums begin at the axis's end."""

    op: ClassVar[str] = "cumsum"
    exclusive: bool
    reverse: bool


def _infer(node: Node, shapes: Shapes) -> tuple[Shape, ...]:
    (x,), axis = shapes, CumSum.of(node).axis
    need(0 <= axis < len(x), f"axis {axis} does not exist in {x}")
    return (tuple(x),)


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray, ...]:
    (x,), cumsum = doubles(arrays), CumSum.of(node)
    x = np.flip(x, cumsum.axis) if cumsum.reverse else x
    if cumsum.exclusive:
        start = np.zeros_like(x.take([0], cumsum.axis))
        x = np.concatenate([start, x.take(range(x.shape[cumsum.axis] - 1), cumsum.axis)],
                           cumsum.axis)
    sums = x.cumsum(cumsum.axis)
    return (np.flip(sums, cumsum.axis) if cumsum.reverse else sums,)


OPS = (
    Op(attrs=CumSum, outputs=("out",),
       infer=_infer, reference=_reference, flops=lambda node, shapes: prod(shapes[0]),
       ulps=lambda node, shapes: float(shapes[0][CumSum.of(node).axis]),
       own=None, weights_rank=None, picks=never, follows=rename_axis, samples=along,
       moves=None, alias=None, reads_by_data=(), kernel="cumsum", targets=EVERY_TARGET),
)
