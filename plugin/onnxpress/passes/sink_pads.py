"""Moves a pad below the pointwise operator that reads it, nearer to a convolution.

1. f(pad(x)) with mirrored or repeated edges is pad(f(x)).
2. With a constant c it is pad(f(x)) with f(c), if f's other operands are numbers.
3. Other operands must be constants, one number for all or per channel; one that varies along a
   padded axis keeps the order, as does another reader of the pad.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph.expr import Expr, evaluate
from ..graph.graph import Graph, Node
from ..ops.move import Pad
from ..ops.pointwise import Pointwise
from .draft import Draft


def sink_pads(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.attrs, Pointwise) or not _swap(draft, node, node.attrs.expr):
            draft.keep(node)
    return draft.finish()


def _swap(draft: Draft, node: Node, expr: Expr) -> bool:
    computed = [n for n in node.inputs if n not in draft.constants]
    pad = draft.sole(computed[0], Pad) if len(computed) == 1 else None
    if pad is None or draft.shape(pad.name) != draft.shape(node.name):
        return False
    others = [draft.shape(n) for n in node.inputs if n in draft.constants]
    border = Pad.of(pad)
    if border.mode == "constant":
        if any(others):
            return False
        value = float(evaluate(expr, [
            draft.constants.get(n, np.float32(border.value or 0.0)) for n in node.inputs]))
        border = replace(border, value=value)
    elif not all(_holds(shape, border) for shape in others):
        return False
    (source,) = pad.inputs
    name = draft.fresh(f"{node.name}.inner")
    inputs = tuple(source if n == pad.name else n for n in node.inputs)
    draft.add(node.attrs, inputs, draft.shape(source), name, like=node.name)
    draft.add(border, (name,), draft.shape(node.name), node.name)
    return True


def _holds(shape: tuple[int, ...], pad: Pad) -> bool:
    """Whether a constant of this shape is the same along every padded axis."""
    widths = [b + a for b, a in zip(pad.before, pad.after, strict=True)]
    return all(n == 1 or w == 0 for n, w in zip(shape[::-1], widths[::-1], strict=False))
