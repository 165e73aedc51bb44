"""matmul: a[...,M,K], b[...,K,N], bias[N], *extras -> [...,M,N], with an epilogue.

Leading axes broadcast as in numpy; both operands have rank 2 at least.
"""

from math import prod

import numpy as np

from ..graph.expr import evaluate
from ..graph.graph import Node
from .base import Arrays, Op, Shape, Shapes, doubles, need


def _infer(node: Node, shapes: Shapes) -> tuple[Shape]:
    a, b, bias = shapes[:3]
    need(len(a) >= 2 and len(b) >= 2, f"{a} and {b} must have rank 2 at least")
    need(a[-1] == b[-2], f"{a} times {b}: the inner lengths {a[-1]} and {b[-2]} differ")
    need(bias == (b[-1],), f"bias {bias} does not fit {b[-1]} columns")
    return ((*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1]),)


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    a, b, bias, *extras = doubles(arrays)
    out = a @ b + bias
    epilogue = node.attrs.get("epilogue")
    return (out if epilogue is None else evaluate(epilogue, [out, *extras]),)


def _flops(node: Node, shapes: Shapes) -> int:
    return 2 * shapes[0][-1] * prod(_infer(node, shapes)[0])


def _ulps(node: Node, shapes: Shapes) -> float:
    return 2.0 * shapes[0][-1]


OPS = (Op("matmul", _infer, _reference, _flops, _ulps),)
