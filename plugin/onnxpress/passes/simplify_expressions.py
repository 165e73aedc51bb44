"""Shortens expressions of pointwise operators and epilogues.

1. A constant operand of one element becomes a number in the expression. An operand that is listed
   twice is listed once, and one that is not read is dropped.
2. Arithmetic on numbers is done at build time, with each result rounded to f32 as on a device.
3. x * 1, x / 1, x + 0, x - 0 and -(-x) become x. So do min and max with a bound that no finite f32
   exceeds.
4. pow(x, 2), pow(x, 1), pow(x, 0.5), pow(x, -1) and pow(x, -0.5) become products, roots and
   quotients.
5. x / c with c a power of two becomes x * (1 / c), which is exact.
6. min(min(x, a), b) and max(max(x, a), b) with numbers a, b get one bound. A select on a number
   becomes its branch.
7. A pointwise operator that computes its operand, in the same shape, is removed.
8. An expression stays if an operand that gives the result its shape would go.
9. An operator with attribute `quant` keeps its operands, since `lower_qdq` reads them.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..graph.expr import Expr, call, const, evaluate, inp, substitute
from ..graph.graph import Graph, Node
from ..ops import own_operands
from ..ops.attrs import epilogue_of
from ..ops.pointwise import Pointwise, quant_of
from .algebra import ONE, ZERO, compact, rewrite
from .draft import Draft
from .epilogue import spans

LARGEST = float(np.finfo(np.float32).max)  # the largest finite f32


def simplify_expressions(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if quant_of(node) is not None:
            draft.keep(node)
        elif isinstance(node.attrs, Pointwise):
            _pointwise(draft, node, node.attrs)
        elif epilogue := epilogue_of(node):
            first = own_operands(node)
            names = ("", *draft.inputs(node)[first:])
            expr, kept = _shorter(draft, epilogue, names, fixed=1)
            shorter = replace(node, inputs=node.inputs[:first] + kept[1:])
            draft.keep(shorter.with_attrs(epilogue=expr))
        else:
            draft.keep(node)
    return draft.finish()


def _pointwise(draft: Draft, node: Node, attrs: Pointwise) -> None:
    """Adds the pointwise `node` with its expression shortened; case 7."""
    expr, kept = _shorter(draft, attrs.expr, draft.inputs(node), fixed=0)
    if not kept or not spans(draft, node, kept):
        expr, kept = attrs.expr, node.inputs
    if expr == inp(0) and draft.shape(kept[0]) == draft.shape(node.name):
        draft.replace(node.name, kept[0])
        return
    draft.keep(Node(replace(attrs, expr=expr), kept, node.outputs))


def _shorter(draft: Draft, expr: Expr, names: tuple[str, ...],
             fixed: int) -> tuple[Expr, tuple[str, ...]]:
    """The expression in fewer primitives, and the names that it reads; input i of `expr` is
    names[i], and the first `fixed` inputs keep their places."""
    spot = [const(draft.constants[n].item()) if _is_number(draft, n) else inp(i)
            for i, n in enumerate(names)]
    return compact(rewrite(substitute(expr, spot), simplify), names, fixed)


def _is_number(draft: Draft, name: str) -> bool:
    return name in draft.constants and draft.constants[name].size == 1


def simplify(expr: Expr) -> Expr:
    """The expression in fewer or cheaper primitives. Its operands must be simplified already."""
    if not expr.args:
        return expr
    if all(a.op == "const" for a in expr.args):
        number = evaluate(expr, [np.float32(0)])
        return const(float(number)) if np.isfinite(number) else expr
    if expr.op == "select" and expr.args[0].op == "const":
        return expr.args[1] if expr.args[0].value else expr.args[2]
    if expr.op == "neg" and expr.args[0].op == "neg":
        return expr.args[0].args[0]
    if len(expr.args) == 2 and expr.op in ("add", "mul", "min", "max"):
        x, c = expr.args if expr.args[1].op == "const" else expr.args[::-1]
        return _commutative(expr, x, c) if c.op == "const" else expr
    if len(expr.args) == 2 and expr.args[1].op == "const":
        return _right_number(expr, *expr.args)
    return expr


def _commutative(expr: Expr, x: Expr, c: Expr) -> Expr:
    """Cases 3 and 6 for add, mul, min and max of `x` and the number `c`."""
    if (expr.op, c) in (("add", ZERO), ("mul", ONE)):
        return x
    if (expr.op == "min" and c.value >= LARGEST) or (expr.op == "max" and c.value <= -LARGEST):
        return x
    if expr.op in ("min", "max") and x.op == expr.op and x.args[1].op == "const":
        return simplify(call(expr.op, x.args[0], simplify(call(expr.op, x.args[1], c))))
    return Expr(expr.op, (x, c))


def _right_number(expr: Expr, x: Expr, c: Expr) -> Expr:
    """Cases 3 to 5 for sub, div and pow of `x` and the number `c`."""
    if (expr.op, c) in (("sub", ZERO), ("div", ONE), ("pow", ONE)):
        return x
    if expr.op == "div" and abs(math.frexp(c.value)[0]) == 0.5 and np.isfinite(1 / c.value):
        return x * (1 / c.value)
    if expr.op == "pow":
        if c.value == 2 and not x.args:
            return x * x
        root = {0.5: call("sqrt", x), -0.5: 1 / call("sqrt", x), -1.0: 1 / x}
        return root.get(c.value, expr)
    return expr
