"""Merges pointwise operators into their pointwise readers, by substituting expressions.

1. A producer of the reader's shape with no other reader is merged. Its expression is written out at
   each use, so it must be cheap if the reader uses it several times.
2. A cheap producer with one computed operand and several pointwise readers is merged into each,
   which saves writing and reading its result.
3. A producer of a smaller shape stays, since its work would be repeated for every element.
4. An operator grows to MAX_OPERANDS operands and MAX_SIZE primitives at most.
5. A producer that can become the epilogue of a convolution, matmul or normalization is not merged
   into a reader that cannot.
"""

from collections.abc import Callable

from ..graph.expr import inp, substitute
from ..graph.graph import Graph, Node
from ..ops.pointwise import Pointwise
from .algebra import CHEAP, compact, count, size, uses_only
from .draft import Draft
from .epilogue import hosts

MAX_OPERANDS = 8  # chosen by trial
MAX_SIZE = 48  # primitives; chosen by trial


def fuse_pointwise(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    shared = {name for name, readers in graph.consumers().items() if all(
        isinstance(r.attrs, Pointwise) and graph.shape(r.name) == graph.shape(name)
        for r in readers)}
    for node in graph.nodes:
        if isinstance(node.attrs, Pointwise):
            node = _absorb(draft, shared, node, note)
        draft.keep(node)
    return draft.finish()


def _absorb(draft: Draft, shared: set[str], node: Node,
            note: Callable[[str, str], None]) -> Node:
    """`node` with every producer merged that can be, in the order of its operands. `shared`: the
    values that only pointwise operators of their own shape read."""
    refused: set[str] = set()
    while True:
        for name in node.inputs:
            maker = draft.makers.get(name)
            if name in refused or maker is None or not isinstance(maker.attrs, Pointwise):
                continue
            if draft.shape(name) != draft.shape(node.name):
                continue
            merged = _merge(node, maker)
            reason = _refusal(draft, shared, node, maker, merged)
            if reason is None:
                node = merged
                break
            refused.add(name)
            if reason:
                note(f"%{node.name}", f"%{name} is not merged: {reason}")
        else:
            return node


def _merge(node: Node, maker: Node) -> Node:
    """`node` with the expression of `maker` in place of its result."""
    names = (*node.inputs, *maker.inputs)
    body = substitute(Pointwise.of(maker).expr, [inp(len(node.inputs) + i)
                                             for i in range(len(maker.inputs))])
    spot = [body if n == maker.name else inp(i) for i, n in enumerate(node.inputs)]
    spot += [inp(i) for i in range(len(node.inputs), len(names))]
    expr, kept = compact(substitute(Pointwise.of(node).expr, spot), names)
    return Node(Pointwise(expr=expr), kept, node.outputs)


def _refusal(draft: Draft, shared: set[str], node: Node, maker: Node, merged: Node) -> str | None:
    """Why `maker` is not merged into `node`: "" if no reader would expect it, None if it is."""
    expr = Pointwise.of(maker).expr
    cheap = uses_only(expr, CHEAP)
    if maker.name in draft.graph.outputs:
        return ""
    if draft.uses[maker.name] > 1:
        computed = [n for n in maker.inputs if n not in draft.constants]
        light = cheap and size(expr) <= 2 and len(computed) == 1
        if not light or hosts(draft, maker) or maker.name not in shared:
            return ""
    uses = sum(count(Pointwise.of(node).expr, i) for i, n in enumerate(node.inputs)
               if n == maker.name)
    if uses > 1 and not cheap and size(expr) > 4:
        return "it is used several times and costly to repeat"
    if len(merged.inputs) > MAX_OPERANDS:
        return f"there would be {len(merged.inputs)} operands, more than {MAX_OPERANDS}"
    if size(Pointwise.of(merged).expr) > MAX_SIZE:
        return f"the expression would grow beyond {MAX_SIZE} primitives"
    if hosts(draft, maker) and not hosts(draft, merged):
        return ""
    return None
