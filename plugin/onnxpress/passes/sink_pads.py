"""Moves a pad below the pointwise operator f that reads it, nearer to a convolution.

1. f(pad(x)) with mirrored or repeated edges becomes pad(f(x)).
2. f(pad(x)) with the constant c becomes pad(f(x)) with the constant f(c), if the other operands of
   f are numbers.
3. The other operands of f must be constants that do not vary along a padded axis.
4. A pad with a second reader stays.
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
    """Whether `node` reads a pad that can follow it; if so, adds both in the new order."""
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
    elif not all(_is_constant_along(shape, border) for shape in others):
        return False
    (source,) = pad.inputs
    name = draft.fresh(f"{node.name}.inner")
    inputs = tuple(source if n == pad.name else n for n in node.inputs)
    draft.add(node.attrs, inputs, draft.shape(source), name, like=node.name)
    draft.add(border, (name,), draft.shape(node.name), node.name)
    return True


def _is_constant_along(shape: tuple[int, ...], pad: Pad) -> bool:
    """Whether a constant of `shape` has one value along every axis that `pad` extends."""
    widths = [b + a for b, a in zip(pad.before, pad.after, strict=True)]
    return all(n == 1 or w == 0 for n, w in zip(shape[::-1], widths[::-1], strict=False))
