"""Shortens expressions by computing with their constant operands at build time.

1. A subexpression that reads constant operands only becomes one constant operand, computed in
   float64.
2. A chain of additions and multiplications by constant operands on one value becomes
   x * scale + shift, if that is shorter.
3. A constant that changes no value stays if the result has its shape from it: x[1,4] + zeros[3,4].
4. An expression that rounds keeps its order, since one ulp before a rounding may change the result
   by 1.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph.expr import Expr, evaluate, inp, input_indices
from ..graph.graph import Graph, Node
from ..ops import own_operands
from ..ops.pointwise import quant_of
from .algebra import affine, compact, is_unsteady, size
from .draft import Draft
from .epilogue import expression, spans, with_expression


def fold_operands(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        expr = expression(node)
        if expr is not None and quant_of(node) is None and not is_unsteady(expr):
            first = own_operands(node)
            names = [""] * (first > 0) + list(node.inputs[first:])
            expr = _Folder(draft, node, names).fold(expr)
            expr, kept = compact(expr, names, fixed=int(first > 0))
            if kept and spans(draft, node, kept):
                inputs = node.inputs[:first] + kept[first > 0:]
                node = with_expression(replace(node, inputs=inputs), expr)
        draft.keep(node)
    return draft.finish()


class _Folder:
    """Folds one expression, whose input i is names[i]. New constants are appended to `names`."""

    def __init__(self, draft: Draft, node: Node, names: list[str]) -> None:
        self.draft, self.node, self.names = draft, node, names

    def fold(self, expr: Expr) -> Expr:
        """The same expression, its constant parts computed."""
        if not expr.args:
            return expr
        read = input_indices(expr)
        computed = [i for i in read if self.names[i] not in self.draft.constants]
        if not computed and read:
            return self.operand(expr)
        if len(computed) == 1 and len(read) > 1:
            parts = affine(expr, computed[0])
            if parts is not None and self.primitives(*parts) < size(expr):
                scale, shift = parts
                short = inp(computed[0])
                short = short * self.operand(scale) if self.differs(scale, 1) else short
                return short + self.operand(shift) if self.differs(shift, 0) else short
        return Expr(expr.op, tuple(self.fold(a) for a in expr.args), expr.value)

    def primitives(self, scale: Expr, shift: Expr) -> int:
        """The primitives of x * scale + shift, once scale and shift are constants."""
        return self.differs(scale, 1) + self.differs(shift, 0)

    def differs(self, expr: Expr, number: float) -> bool:
        """Whether an element of the constant expression is not `number`."""
        return bool((self.value(expr) != number).any())

    def value(self, expr: Expr) -> np.ndarray:
        """The constant expression, computed in f64."""
        arrays = [self.draft.constants[n].astype(np.float64) if n in self.draft.constants
                  else np.float64(0) for n in self.names]
        return np.asarray(evaluate(expr, arrays or [np.float64(0)]))

    def operand(self, expr: Expr) -> Expr:
        """The constant expression as an input that reads a new constant."""
        if not expr.args:
            return expr
        value = self.value(expr)
        self.names.append(self.draft.constant(f"{self.node.name}.folded", value))
        return inp(len(self.names) - 1)
