"""WHAT operators mean, free of any target: shapes, float64 reference, cost, tolerance.

OPS is the whole vocabulary of the graph after the importer. `pointwise.py` holds, one row each,
the ONNX operators that are a scalar expression.
"""

from ..errors import PassError
from ..graph.graph import Graph, Node
from . import conv, matmul, move, pointwise, pool, reduce, sample
from .base import Op

OPS: dict[str, Op] = {
    op.name: op
    for module in (conv, matmul, pool, pointwise, reduce, sample, move)
    for op in module.OPS
}

# Their outputs' shapes do not follow from their inputs'; `bound` supplies them as `shape`.
SHAPED = ("slice", "expand", "reshape")


def bound(node: Node, graph: Graph) -> Node:
    """`node` as `OPS` functions take it: with its output's shape where that is a free choice."""
    return node.with_attrs(shape=graph.shape(node.name)) if node.op in SHAPED else node


def check_shapes(graph: Graph, after: str = "import") -> Graph:
    """Returns `graph` unchanged.

    Raises:
        PassError: a node is not in OPS, its operands do not fit, or a shape that the graph states
            differs from the inferred one.
    """
    for node in graph.nodes:
        if node.op not in OPS:
            raise PassError(f"after {after}: %{node.name}: {node.op} is not an operator")
        stated = tuple(graph.shape(n) for n in node.outputs)
        try:
            inferred = OPS[node.op].infer(bound(node, graph), [graph.shape(n) for n in node.inputs])
        except ValueError as error:
            raise PassError(f"after {after}: {node.op} %{node.name}: {error}") from error
        if inferred != stated:
            raise PassError(f"after {after}: {node.op} %{node.name} makes {inferred}, "
                            f"the graph states {stated}")
    return graph
