"""What operators mean, independent of any target: one row for each, with all that is known.

OPS is the whole vocabulary of the graph after the importer. `pointwise.py` holds, one row each,
the ONNX operators that are a scalar expression.
"""

from collections.abc import Sequence

from ..errors import PassError
from ..graph.graph import Attrs, Graph, Node, Shape
from . import conv, cumsum, halo, matmul, move, pointwise, pool, reduce, sample, topk
from .attrs import Shaped
from .base import Op, Perm, Shapes
from .copies import Moves, dense

OPS: dict[str, Op] = {
    op.name: op
    for module in (conv, matmul, pool, pointwise, reduce, cumsum, topk, sample, move, halo)
    for op in module.OPS
}


def own_operands(node: Node) -> int:
    """How many operands of `node` stand before its epilogue's; 0 if it takes no epilogue."""
    return OPS[node.op].own or 0


def bound(node: Node, graph: Graph) -> Node:
    """`node` as the functions of `OPS` take it. Its attributes hold the output's shape if its
    operands do not determine that shape."""
    return node.with_attrs(shape=graph.shape(node.name)) if isinstance(node.attrs, Shaped) else node


def moves(
    node: Node,
    in_shapes: Shapes,
    out_shape: Shape,
    src_strides: Sequence[Shape] | None = None,
    dst_strides: Shape | None = None,
) -> Moves:
    """The copies that carry out `node`. The last axis of every part is the output's last axis.

    Strides count elements and default to dense tensors. Offsets are relative to each tensor's first
    element.

    Raises:
        ValueError: `node` does more than move elements.
    """
    rule = OPS[node.op].moves
    if rule is None:
        raise ValueError(f"{node.op} does more than move elements")
    sources = src_strides or [dense(s) for s in in_shapes]
    target = dense(out_shape) if dst_strides is None else tuple(dst_strides)
    return rule(node, list(in_shapes), tuple(out_shape), list(map(tuple, sources)), target)


def alias_start(node: Node, source: Shape, out: Shape) -> int | None:
    """The element of the dense input at which the output of `node` begins; None if elements have
    to move. `source` and `out` are the shapes of the two."""
    rule = OPS[node.op].alias
    return rule(node, source, out) if rule else None


def follow(attrs: Attrs, perm: Perm) -> Attrs:
    """`attrs` for operands whose axis `a` is stored as axis perm[a].

    Raises:
        ValueError: the operator needs its axes in their own order.
    """
    rule = OPS[attrs.op].follows
    if rule is None:
        raise ValueError(f"{attrs.op} needs its axes in their own order")
    return rule(attrs, perm)


def check_shapes(graph: Graph, after: str = "import") -> Graph:
    """Returns `graph` unchanged.

    Raises:
        PassError: a node is not in OPS, its operands do not fit, or a stated shape differs from
            the inferred one.
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
