"""Which values of a graph are whole numbers between known bounds, as quantized values are."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from ..graph.expr import Expr
from ..graph.graph import Graph, Node
from . import OPS
from .attrs import epilogue_of
from .move import Pad
from .pointwise import Pointwise

BITS = 1 << 31  # beyond the i32 range a value is not bounded


@dataclass(frozen=True, slots=True)
class Span:
    """Values between `lo` and `hi`, all of them whole numbers if `whole`."""

    lo: float = -inf
    hi: float = inf
    whole: bool = False


UNKNOWN = Span()


def whole_values(graph: Graph) -> dict[str, Span]:
    """Value name -> its span, for the values that are whole numbers and bounded."""
    spans: dict[str, Span] = {}
    for node in graph.nodes:
        span = _of(node, spans)
        if span.whole and -BITS < span.lo <= span.hi < BITS:
            spans.update(dict.fromkeys(node.outputs, span))
    return spans


def _of(node: Node, spans: dict[str, Span]) -> Span:
    known = [spans.get(name, UNKNOWN) for name in node.inputs]
    if isinstance(node.attrs, Pointwise):
        return span_of(node.attrs.expr, known)
    epilogue = epilogue_of(node)
    if epilogue is not None:
        return span_of(epilogue, [UNKNOWN] * len(known))
    if OPS[node.op].picks(node):
        return _union(known)
    if isinstance(node.attrs, Pad) and not node.attrs.value:
        return _union([*known, Span(0, 0, True)])
    return UNKNOWN


def _union(spans: Sequence[Span]) -> Span:
    return Span(min(s.lo for s in spans), max(s.hi for s in spans), all(s.whole for s in spans))


def span_of(expr: Expr, inputs: Sequence[Span]) -> Span:
    """The span of the expression's values, by interval arithmetic. `inputs`: a span for each."""
    if expr.op == "input":
        return inputs[int(expr.value)]
    if expr.op == "const":
        return Span(expr.value, expr.value, expr.value == round_or_nan(expr.value))
    args = [span_of(a, inputs) for a in expr.args]
    whole = all(s.whole for s in args)
    if expr.op in ("round", "floor", "ceil", "trunc"):
        return Span(round_or_nan(args[0].lo), round_or_nan(args[0].hi), True)
    if expr.op in ("min", "max"):
        pick = min if expr.op == "min" else max
        return Span(pick(s.lo for s in args), pick(s.hi for s in args), whole)
    if expr.op == "add":
        return Span(args[0].lo + args[1].lo, args[0].hi + args[1].hi, whole)
    if expr.op == "sub":
        return Span(args[0].lo - args[1].hi, args[0].hi - args[1].lo, whole)
    return UNKNOWN


def round_or_nan(value: float) -> float:
    """The nearest whole number, or the value itself if it is infinite or NaN."""
    return value if value in (inf, -inf) or value != value else float(round(value))
