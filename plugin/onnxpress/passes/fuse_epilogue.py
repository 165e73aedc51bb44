"""Gives a convolution, matmul or normalization the pointwise operator that reads it.

1. The reader becomes the epilogue. Input 0 of its expression is the producer's result; its other
   operands follow the producer's own operands.
2. An operand may have the output's shape (a residual) or be one number per channel (a vector). With
   any other broadcast the operator stays apart.
3. A producer that another operator reads too, or that is a graph output, stays as it is.
4. Where two convolutions feed one addition, the later one takes it and runs where the addition
   stood. The earlier one's result exists by then.
5. The operators of a chain become epilogues one after the other.
"""

from collections.abc import Callable
from dataclasses import replace

from ..graph.expr import inp, substitute
from ..graph.graph import Graph, Node
from ..ops import own_operands
from ..ops.attrs import WithEpilogue, epilogue_of
from ..ops.pointwise import Pointwise
from .algebra import compact
from .draft import Draft
from .epilogue import hosts


def fuse_epilogue(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if isinstance(node.attrs, Pointwise):
            found = hosts(draft, node)
            if found:
                node = _fused(found[-1], node)
            else:
                _explain(draft, node, note)
        draft.keep(node)
    return draft.finish()


def _fused(host: Node, node: Node) -> Node:
    """`host` with the pointwise `node` as its epilogue, behind the epilogue that it has."""
    first, before = own_operands(host), epilogue_of(host) or inp(0)
    names = ("", *host.inputs[first:], *(n for n in node.inputs if n != host.name))
    spot = [before if n == host.name else inp(names.index(n)) for n in node.inputs]
    expr, kept = compact(substitute(Pointwise.of(node).expr, spot), names, fixed=1)
    fused = replace(host, inputs=host.inputs[:first] + kept[1:], outputs=node.outputs)
    return fused.with_attrs(epilogue=expr)


def _explain(draft: Draft, node: Node, note: Callable[[str, str], None]) -> None:
    """Notes why a pointwise operator right behind a convolution or matmul is not fused."""
    for name in dict.fromkeys(node.inputs):
        maker = draft.makers.get(name)
        if maker is None or not isinstance(maker.attrs, WithEpilogue):
            continue
        if draft.shape(name) != draft.shape(node.name):
            continue
        if draft.uses[name] > 1:
            reason = f"%{name} has {draft.uses[name]} readers"
        else:
            reason = "an operand is neither of the output's shape nor one number per channel"
        note(f"%{node.name}", f"stays apart from {maker.op} %{name}: {reason}")
