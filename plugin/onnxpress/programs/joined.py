"""Values that are made among the channels of a concatenation, so that no step copies them there.

Such a value has the pixels of the concatenation and fills some of its channels. A concatenation may
itself lie among the channels of a larger one. It does if its operands already lie side by side
there, as in a dense block.
"""

from collections.abc import Collection, Mapping, Sequence

from ..emit.layout import Needs, Want
from ..graph.graph import Graph, Node
from ..graph.storage import F32
from ..ops.move import Concat

LANES = 4  # kernels write whole vectors, so a value begins and ends with one
Channels = tuple[str, int]  # the concatenation, and the first of its channels


def place_joined(graph: Graph, needs: Mapping[str, Needs], wants: Mapping[str, Sequence[Want]],
                 pinned: Collection[str]) -> dict[str, Channels]:
    """Value name -> its channels. `wants`: how each value is read. `pinned`: the values that cannot
    be placed among channels."""
    tied = {name for node in graph.nodes for i in needs.get(node.name, Needs()).same
            for name in (node.inputs[i], node.name)}
    places: dict[str, Channels] = {}

    def free(name: str) -> bool:
        maker = needs.get(name)
        return (maker is not None and maker.output.storage == F32 and name not in tied
                and name not in pinned and graph.shape(name)[3] % LANES == 0
                and not any(w.halo.mode != "zero" or w.storage != F32 for w in wants[name]))

    joins = [n for n in graph.nodes if _joins_channels(n, graph)]
    for node in sorted(joins, key=lambda n: -graph.shape(n.name)[3]):
        whole, start = places.get(node.name, (node.name, 0))
        found = side_by_side(graph, node, places)
        if found and node.name not in places and free(node.name):
            places[node.name] = found
        elif free(node.name) and len(set(node.inputs)) == len(node.inputs) and all(
                free(name) and name not in places for name in node.inputs):
            for name in node.inputs:
                places[name] = whole, start
                start += graph.shape(name)[3]
    return places


def _joins_channels(node: Node, graph: Graph) -> bool:
    return (isinstance(node.attrs, Concat) and node.attrs.axis == 3
            and len(graph.shape(node.name)) == 4)


def side_by_side(graph: Graph, node: Node, places: Mapping[str, Channels]) -> Channels | None:
    """The channels of the concatenation `node` if its operands lie side by side in order, or None.
    """
    if any(name not in places for name in node.inputs):
        return None
    whole, start = first = places[node.inputs[0]]
    for name in node.inputs:
        if places[name] != (whole, start):
            return None
        start += graph.shape(name)[3]
    return first
