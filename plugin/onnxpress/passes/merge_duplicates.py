"""Computes equal things once.

1. Two nodes with the same operator, operands and attributes are one; the first stays.
2. A duplicate that is a graph output stays, since its name is part of the model's interface.
"""

from collections.abc import Callable

from ..graph.graph import Graph
from .draft import Draft


def merge_duplicates(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    first: dict[tuple[object, ...], str] = {}
    for node in graph.nodes:
        key = (repr(node.attrs), draft.inputs(node), tuple(map(graph.shape, node.outputs)))
        if key in first and len(node.outputs) == 1 and node.name not in graph.outputs:
            draft.replace(node.name, first[key])
        else:
            first.setdefault(key, node.name)
            draft.keep(node)
    return draft.finish()
