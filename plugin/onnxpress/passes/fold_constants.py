"""Evaluates at build time what depends on constants only.

1. A node whose operands are all constants becomes a constant: computed in float64, stored as f32.
2. A node with attribute `quant` waits: `lower_qdq` reads its integers first.
3. A result larger than its operands together and larger than GROWTH elements stays a node, since
   a constant is downloaded and a computed value is not.
4. A graph output stays a node.
"""

from collections.abc import Callable
from math import prod

from ..graph.graph import Graph, Node
from ..ops import OPS, bound
from ..ops.pointwise import quant_of
from .draft import Draft

GROWTH = 4096


def fold_constants(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if not _is_constant(draft, node):
            draft.keep(node)
            continue
        size = sum(prod(graph.shape(out)) for out in node.outputs)
        if size > max(GROWTH, sum(prod(draft.shape(draft.now(n))) for n in node.inputs)):
            note(f"%{node.name}", f"{size} constant elements are computed on the device, since "
                                  "they would be larger to download than what they are made of")
            draft.keep(node)
            continue
        arrays = [draft.constants[draft.now(n)].astype("float64") for n in node.inputs]
        results = OPS[node.op].reference(bound(node, graph), arrays)
        for out, array in zip(node.outputs, results, strict=True):
            draft.replace(out, draft.constant(f"{out}.folded", array))
    return draft.finish()


def _is_constant(draft: Draft, node: Node) -> bool:
    return (
        all(draft.now(n) in draft.constants for n in node.inputs)
        and quant_of(node) is None
        and not any(out in draft.graph.outputs for out in node.outputs)
    )
