"""Removes nodes that compute what an earlier node has computed.

1. Of nodes with the same operator, operands and attributes the first stays.
2. A duplicate that makes a graph output stays, since its name is part of the model's interface.
"""

from collections.abc import Callable

from ..graph.graph import Graph
from .draft import Draft


def merge_duplicates(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    first: dict[tuple[object, ...], tuple[str, ...]] = {}
    for node in graph.nodes:
        key = (repr(node.attrs), draft.inputs(node), tuple(map(graph.shape, node.outputs)))
        if key in first and not set(node.outputs) & set(graph.outputs):
            for old, new in zip(node.outputs, first[key], strict=True):
                draft.replace(old, new)
        else:
            first.setdefault(key, node.outputs)
            draft.keep(node)
    return draft.finish()
