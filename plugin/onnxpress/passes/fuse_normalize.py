"""Recovers instance and layer normalization from their arithmetic.

Let m = mean(x) and v = mean((x - m)²) over the same axes, and s = sqrt(v + eps). Every expression
that equals (x - m) / s * g + b becomes one `normalize`, however it is written:

1. (x - m) / s, (x - m) * (1 / s), with or without scale g and shift b behind it.
2. x * (g / s) + (b - m * (g / s)), TensorFlow's batch normalization.
3. g and b may be computed at run time (conditional instance norm). Several factors become one
   small pointwise operator.
4. g and b must vary along the normalized axes only, or along the others only.
5. A mean of squares without centring (RMS norm) stays as it is.

The largest such expression wins: each match replaces the smaller ones inside it.
"""

from collections.abc import Callable

import numpy as np

from ..graph.expr import Expr, const, evaluate, inp, input_indices, substitute
from ..graph.graph import Graph, Node
from ..ops.pointwise import Pointwise
from ..ops.reduce import Normalize, Reduce
from .algebra import ONE, affine, compact, rewrite, size, times
from .draft import Draft

MAX_SIZE = 64  # primitives; a larger operand is not looked into, nor a deeper one


def fuse_normalize(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    found = _Finder(graph)
    if not found.variances:
        return graph
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.attrs, Pointwise) or not _replace(draft, found, node):
            draft.keep(node)
    return draft.finish()


class _Finder:
    """The parts of normalizations: `centred` maps the value x - m to (x, m), `variances` maps the
    value v to (x, m)."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers = graph.producers()
        self.readers = graph.consumers()
        self.centred: dict[str, tuple[str, str]] = {}
        self.variances: dict[str, tuple[str, str]] = {}
        for node in graph.nodes:
            if isinstance(node.attrs, Pointwise) and node.attrs.expr == inp(0) - inp(1):
                x, m = node.inputs
                if self.is_mean(m) and self.makers[m].inputs[0] == x:
                    self.centred[node.name] = x, m
            elif self.is_mean(node.name):
                base = self.squared(node.inputs[0])
                if base in self.centred and self.axes(node.name) == self.axes(
                        self.centred[base][1]):
                    self.variances[node.name] = self.centred[base]

    def is_mean(self, name: str) -> bool:
        """Whether `name` is a mean over some axes."""
        maker = self.makers.get(name)
        return (maker is not None and isinstance(maker.attrs, Reduce)
                and maker.attrs.kind == "mean")

    def axes(self, mean: str) -> tuple[int, ...]:
        """The axes over which `mean` averages."""
        return Reduce.of(self.makers[mean]).axes

    def squared(self, name: str) -> str | None:
        """The value whose square `name` is; None if it is not a square."""
        maker = self.makers.get(name)
        squares = (inp(0) * inp(0), Expr("pow", (inp(0), const(2))))
        if maker is None or not isinstance(maker.attrs, Pointwise):
            return None
        return maker.inputs[0] if maker.attrs.expr in squares else None

    def expand(self, node: Node, leaves: list[str], shape: tuple[int, ...],
               depth: int = MAX_SIZE) -> Expr:
        """The expression of `node` over `leaves`, to which the values that it reads are appended.

        A pointwise producer is written out if `node` alone reads it, if it is x - m, or if its
        shape is smaller than `shape`, so that it costs little to repeat. `depth`: how many
        producers are written out in each other.
        """
        parts: list[Expr] = []
        for name in node.inputs:
            maker = self.makers.get(name)
            part = None
            if depth and maker is not None and isinstance(maker.attrs, Pointwise) and (
                    name in self.centred or len(self.readers[name]) == 1
                    or self.graph.shape(name) != shape):
                part = self.expand(maker, leaves, shape, depth - 1)
            if part is None or size(part) > MAX_SIZE:
                if name not in leaves:
                    leaves.append(name)
                part = inp(leaves.index(name))
            parts.append(part)
        return substitute(Pointwise.of(node).expr, parts)


def _replace(draft: Draft, found: _Finder, node: Node) -> bool:
    """Whether the pointwise `node` is a normalization; if so, adds the normalize."""
    shape = draft.shape(node.name)
    leaves: list[str] = []
    expr = found.expand(node, leaves, shape)
    inside = [n for n in leaves if n in found.variances]
    if len(inside) != 1:
        return False
    (x, m), v = found.variances[inside[0]], leaves.index(inside[0])
    if draft.shape(x) != shape or x not in leaves or m not in leaves:
        return False
    expr, eps = _name_root(expr, v)
    parts = _scale_and_shift(expr, leaves.index(x), leaves.index(m), v, len(leaves))
    axes = found.axes(m)
    if eps is None or parts is None or not all(
            _fits(draft.shape(leaves[i]), shape, axes)
            for part in parts for i in input_indices(part)):
        return False
    names = [_operand(draft, f"{node.name}.{kind}", part, leaves, shape, axes)
             for kind, part in zip(("scale", "shift"), parts, strict=True)]
    draft.add(Normalize(axes=axes, eps=eps), (x, *names), shape, node.name)
    return True


def _name_root(expr: Expr, v: int) -> tuple[Expr, float | None]:
    """(expression, eps): input `v` now stands for sqrt(v + eps). eps is None if the expression
    has no such root, or several with different eps."""
    found: set[float] = set()

    def root(e: Expr) -> Expr:
        if e.op == "sqrt" and e.args[0].op == "add":
            inner, eps = e.args[0].args
            if inner == inp(v) and eps.op == "const":
                found.add(eps.value)
                return inner
        return e

    named = rewrite(expr, root)
    return named, found.pop() if len(found) == 1 else None


def _scale_and_shift(expr: Expr, x: int, m: int, s: int, count: int) -> tuple[Expr, Expr] | None:
    """(g, b) with expr = (x - m) / s * g + b; None if the expression is something else.

    `x`, `m` and `s` are indices of inputs; the expression has `count` inputs. The form found is
    compared with the expression at 32 random points.
    """
    in_x = affine(expr, x)
    in_m = affine(in_x[1], m) if in_x else None
    if in_x is None or in_m is None:
        return None
    at_one = [ONE if i == s else inp(i) for i in range(count)]
    g = rewrite(substitute(in_x[0], at_one), _without_ones)
    b = in_m[1]
    if {x, m, s} & (input_indices(g) | input_indices(b)):
        return None
    points = [row for row in np.random.default_rng(0).uniform(0.5, 2.0, (count, 32))]
    want = (points[x] - points[m]) / points[s] * evaluate(g, points) + evaluate(b, points)
    same = np.allclose(evaluate(expr, points), want, rtol=1e-9, atol=1e-9)
    return (g, b) if same else None


def _without_ones(expr: Expr) -> Expr:
    """A product without the factor 1, a quotient without the divisor 1."""
    if expr.op == "mul":
        return times(*expr.args)
    return expr.args[0] if expr.op == "div" and expr.args[1] == ONE else expr


def _fits(own: tuple[int, ...], shape: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    """Case 4: whether a scale or shift of shape `own` varies along `axes` only, or never along
    them."""
    lead = len(shape) - len(own)
    long = {i + lead for i, n in enumerate(own) if n != 1}
    trailing = axes == tuple(range(len(shape) - len(axes), len(shape)))
    return not long & set(axes) or (trailing and long <= set(axes))


def _operand(draft: Draft, stem: str, expr: Expr, leaves: list[str], shape: tuple[int, ...],
             axes: tuple[int, ...]) -> str:
    """The name of a value for `expr`, in a shape that broadcasts to `shape`."""
    if expr.op == "input":
        return leaves[int(expr.value)]
    if not input_indices(expr):
        trailing = axes[-1] == len(shape) - 1
        dims = shape[axes[0]:] if trailing else (1,) * (len(shape) - 1) + shape[-1:]
        return draft.constant(stem, np.full(dims, evaluate(expr, [np.float64(0)])))
    expr, names = compact(expr, leaves)
    made = np.broadcast_shapes(*(draft.shape(n) for n in names))
    return draft.add(Pointwise(expr=expr), names, made, draft.fresh(stem))
