"""matmul: a[...,M,K], b[...,K,N], bias[N], *extras -> [...,M,N], with an epilogue.

Leading axes broadcast as in numpy; both operands have rank 2 at least.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from ..graph.graph import Node, Shape
from .attrs import Product, finished
from .base import EVERY_TARGET, Arrays, Op, Shapes, doubles, need, never
from .samples import product

OWN = 3  # operands before the epilogue's: a, b, bias


@dataclass(frozen=True, kw_only=True)
class MatMul(Product):
    """The operands' shapes say all."""

    op: ClassVar[str] = "matmul"


def _infer(node: Node, shapes: Shapes) -> tuple[Shape]:
    a, b, bias = shapes[:3]
    need(min(len(a), len(b)) >= 2, f"{a} and {b} must have rank 2 at least")
    (*batch_a, rows, inner), (*batch_b, inner_b, columns) = a, b
    need(inner == inner_b, f"{a} times {b}: the inner lengths {inner} and {inner_b} differ")
    need(bias == (columns,), f"bias {bias} does not fit {columns} columns")
    return ((*np.broadcast_shapes(tuple(batch_a), tuple(batch_b)), rows, columns),)


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    a, b, bias, *extras = doubles(arrays)
    return (finished(node, a @ b + bias, extras),)


def _flops(node: Node, shapes: Shapes) -> int:
    return 2 * shapes[0][-1] * prod(_infer(node, shapes)[0])


def _ulps(node: Node, shapes: Shapes) -> float:
    return 2.0 * shapes[0][-1]


OPS = (
    Op(attrs=MatMul, outputs=("out",),
       infer=_infer, reference=_reference, flops=_flops, ulps=_ulps,
       own=OWN, weights_rank=2, picks=never, follows=None, samples=product,
       moves=None, alias=None, reads_by_data=(), kernel="matmul", targets=EVERY_TARGET),
)
