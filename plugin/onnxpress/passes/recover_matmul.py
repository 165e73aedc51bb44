"""Finds matrix products written as a product and a sum.

1. The sum over axis 0 of x[K,1] * w[K,N] is x, as a row, times w.
2. The sum over axis 1 of x[1,K] * w[N,K] is x times w transposed, as a column.

w is constant in both. Networks that choose among styles write a mixture of constant rows so.
"""

from collections.abc import Callable

import numpy as np

from ..graph.expr import inp
from ..graph.graph import Graph, Node
from ..ops.matmul import MatMul
from ..ops.move import Reshape
from ..ops.pointwise import Pointwise
from ..ops.reduce import Reduce
from .draft import Draft


def recover_matmul(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if not _rewrite(draft, node):
            draft.keep(node)
    return draft.finish()


def _rewrite(draft: Draft, node: Node) -> bool:
    """Whether `node` is a sum of products as above; if so, adds the matmul."""
    attrs = node.attrs
    if not isinstance(attrs, Reduce) or attrs.kind != "sum" or len(attrs.axes) != 1:
        return False
    product = draft.sole(node.inputs[0], Pointwise)
    if product is None or Pointwise.of(product).expr != inp(0) * inp(1):
        return False
    (axis,) = attrs.axes
    for x, w in (product.inputs, product.inputs[::-1]):
        if len(draft.shape(x)) != 2 or len(draft.shape(w)) != 2 or w not in draft.constants:
            continue
        k = draft.shape(w)[axis]
        if draft.shape(x) == ((k, 1), (1, k))[axis] and k > 1:
            weights = draft.constants[w]
            _emit(draft, node, x, w if axis == 0 else draft.constant(f"{w}.moved", weights.T))
            return True
    return False


def _emit(draft: Draft, node: Node, x: str, w: str) -> None:
    """Adds x as a row [1,K] times w[K,N], in the output's shape."""
    k, n = draft.shape(w)
    out = draft.shape(node.name)
    bias = draft.constant(f"{node.name}.bias", np.zeros(n))
    row = draft.add(Reshape(), (x,), (1, k), draft.fresh(f"{node.name}.row"))
    if out == (1, n):
        draft.add(MatMul(), (row, w, bias), out, node.name)
    else:
        product = draft.add(MatMul(), (row, w, bias), (1, n), draft.fresh(f"{node.name}.product"))
        draft.add(Reshape(), (product,), out, node.name)
