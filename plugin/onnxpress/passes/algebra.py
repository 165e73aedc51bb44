"""Questions about expressions that several passes ask."""

from collections.abc import Callable, Sequence

from ..graph.expr import Expr, inp, input_indices, substitute

ONE = Expr("const", (), 1.0)
ZERO = Expr("const", (), 0.0)
MINUS = Expr("const", (), -1.0)
CHEAP = frozenset(("add", "sub", "mul", "min", "max", "neg", "abs", "eq", "lt", "le", "select"))
# Operators that jump: an operand that differs by one ulp may change the result by 1.
UNSTEADY = frozenset(("round", "floor", "ceil", "trunc"))


def size(expr: Expr) -> int:
    """The number of primitives in the expression, written out as a tree."""
    return bool(expr.args) + sum(map(size, expr.args))


def count(expr: Expr, index: int) -> int:
    """How many times the expression reads input `index`."""
    if expr.op == "input":
        return int(int(expr.value) == index)
    return sum(count(a, index) for a in expr.args)


def uses_only(expr: Expr, ops: frozenset[str]) -> bool:
    """Whether every primitive of the expression is one of `ops`."""
    return not expr.args or (expr.op in ops and all(uses_only(a, ops) for a in expr.args))


def is_unsteady(expr: Expr) -> bool:
    """Whether the expression holds a primitive that jumps."""
    return expr.op in UNSTEADY or any(map(is_unsteady, expr.args))


def rewrite(expr: Expr, rule: Callable[[Expr], Expr]) -> Expr:
    """The expression with `rule` applied to every subtree, leaves first."""
    if expr.args:
        expr = Expr(expr.op, tuple(rewrite(a, rule) for a in expr.args), expr.value)
    return rule(expr)


def compact(expr: Expr, names: Sequence[str], fixed: int = 0) -> tuple[Expr, tuple[str, ...]]:
    """(expression, names): the same expression over the names that it reads, each listed once.

    Input i of `expr` is names[i]. The first `fixed` inputs keep their places.
    """
    read = input_indices(expr)
    kept = list(names[:fixed])
    kept += dict.fromkeys(n for i, n in enumerate(names) if i >= fixed and i in read)
    spot = [inp(i) if i < fixed else inp(kept.index(n, fixed)) if i in read else ZERO
            for i, n in enumerate(names)]
    return substitute(expr, spot), tuple(kept)


def plus(a: Expr, b: Expr) -> Expr:
    """a + b, without additions of 0."""
    return b if a == ZERO else a if b == ZERO else a + b


def times(a: Expr, b: Expr) -> Expr:
    """a * b, without products with 0 or 1."""
    if ZERO in (a, b):
        return ZERO
    return b if a == ONE else a if b == ONE else a * b


def affine(expr: Expr, index: int) -> tuple[Expr, Expr] | None:
    """(scale, shift) with expr = input * scale + shift; None if no such form was found. Neither
    of the two reads input `index`."""
    if index not in input_indices(expr):
        return ZERO, expr
    if expr.op == "input":
        return ONE, ZERO
    parts = [part for a in expr.args if (part := affine(a, index)) is not None]
    if len(parts) < len(expr.args):
        return None
    if expr.op == "neg":
        (a, b), = parts
        return times(a, MINUS), times(b, MINUS)
    if len(parts) != 2:
        return None
    (a, b), (c, d) = parts
    if expr.op == "add":
        return plus(a, c), plus(b, d)
    if expr.op == "sub":
        return plus(a, times(c, MINUS)), plus(b, times(d, MINUS))
    if expr.op == "mul" and ZERO in (a, c):
        return (times(a, d), times(b, d)) if c == ZERO else (times(b, c), times(b, d))
    if expr.op == "div" and c == ZERO:
        return a / d, ZERO if b == ZERO else b / d
    return None
