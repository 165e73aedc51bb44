"""Epilogues: which producers can run a pointwise operator, and the expressions of both."""

import numpy as np

from ..graph.expr import Expr
from ..graph.graph import Node
from ..ops import own_operands
from ..ops.attrs import WithEpilogue, epilogue_of
from ..ops.pointwise import Pointwise
from .draft import Draft

MAX_EXTRAS = 6  # operands of an epilogue besides the operator's result


def expression(node: Node) -> Expr | None:
    """The expression of a pointwise operator, or of another operator's epilogue; None if it has
    none."""
    return node.attrs.expr if isinstance(node.attrs, Pointwise) else epilogue_of(node)


def with_expression(node: Node, expr: Expr) -> Node:
    """`node` with `expr` in place of the expression that `expression` returns."""
    if isinstance(node.attrs, Pointwise):
        return node.with_attrs(expr=expr)
    return node.with_attrs(epilogue=expr)


def spans(draft: Draft, node: Node, names: tuple[str, ...]) -> bool:
    """Whether `node` keeps its shape if it reads `names` only. A pointwise operator has its shape
    from its operands, also from one that changes no value."""
    return not isinstance(node.attrs, Pointwise) or draft.shape(node.name) == np.broadcast_shapes(
        *map(draft.shape, names))


def is_extra(shape: tuple[int, ...], out: tuple[int, ...]) -> bool:
    """Whether an epilogue of an operator with output shape `out` can read an operand of `shape`:
    it has the output's shape, or one number per channel."""
    per_channel = shape[-1:] == out[-1:] and all(n == 1 for n in shape[:-1])
    return shape == out or (per_channel and len(shape) <= len(out))


def hosts(draft: Draft, node: Node) -> list[Node]:
    """The producers that could run the pointwise `node` as their epilogue, in program order."""
    out = draft.shape(node.name)
    found = []
    for name in dict.fromkeys(node.inputs):
        maker = draft.sole(name, WithEpilogue)
        others = [n for n in node.inputs if n != name]
        if maker is None or draft.shape(name) != out:
            continue
        extras = len(maker.inputs) - own_operands(maker) + len(others)
        if extras <= MAX_EXTRAS and all(is_extra(draft.shape(n), out) for n in others):
            found.append(maker)
    return sorted(found, key=draft.nodes.index)
