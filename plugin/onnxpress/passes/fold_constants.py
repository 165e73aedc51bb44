"""Computes at build time the nodes that depend on constants only.

1. A node whose operands are all constants becomes a constant: computed in float64, stored as f32.
2. A node with attribute `quant` stays, since `lower_qdq` reads its integers later.
3. A node stays if its result is larger than its operands together and than GROWTH elements. A
   constant is downloaded; a computed value is not.
4. A graph output stays a node.
"""

from collections.abc import Callable
from math import prod

from ..graph.graph import Graph, Node
from ..ops import OPS, bound
from ..ops.pointwise import quant_of
from .draft import Draft

GROWTH = 4096  # elements (16 KiB in f32)


def fold_constants(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if not _is_constant(draft, node):
            draft.keep(node)
            continue
        size = sum(prod(graph.shape(out)) for out in node.outputs)
        if size > max(GROWTH, sum(prod(draft.shape(draft.now(n))) for n in node.inputs)):
            note(f"%{node.name}", f"{size} constant elements are computed on the device, since "
                                  "their operands are smaller to download")
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
