"""Graph -> the same graph in which convolutions make the moves of their neighbours.

A thin image is filled up to four channels in any case, so the same step can read it in planes as
well as in pixels. A convolution can write its channels straight into a concatenation. The
attributes `planes` and `into` of the convolution say so. The attribute `moved` marks the node whose
work it does.
"""

from dataclasses import replace
from itertools import accumulate

from ...graph.graph import Graph, Node
from ...kernels.conv2d.wgsl import is_thin
from ...ops.attrs import Movement
from ...ops.conv import OWN, Conv2d
from ...ops.move import Concat, Transpose

PIXELS = (0, 2, 3, 1)  # NCHW to NHWC


def fit_moves(graph: Graph) -> Graph:
    """The graph whose convolutions state the moves that they make."""
    changed = {node.name: node for node in graph.nodes}
    readers = graph.consumers()
    for node in graph.nodes:
        if isinstance(node.attrs, Transpose) and _in_planes(node, graph, readers[node.name]):
            changed[node.name] = node.with_attrs(moved=(0,))
            for conv in readers[node.name]:
                changed[conv.name] = changed[conv.name].with_attrs(planes=node.inputs[0])
        elif isinstance(node.attrs, Concat) and node.attrs.axis == 3:
            counts = [graph.shape(name)[3] for name in node.inputs]
            firsts = dict(enumerate(accumulate(counts[:-1], initial=0)))
            moved = [i for i, first in firsts.items()
                     if _writes(changed.get(node.inputs[i]), node, first, graph, readers)]
            changed[node.name] = node.with_attrs(moved=tuple(moved))
            for name, first in ((node.inputs[i], firsts[i]) for i in moved):
                changed[name] = changed[name].with_attrs(into=(node.name, first))
    return replace(graph, nodes=tuple(changed.values()))


def is_moved(node: Node) -> bool:
    """Whether other nodes do all the work of `node`."""
    return (isinstance(node.attrs, Movement)
            and len(node.attrs.moved) == len(node.inputs) > 0)


def _in_planes(node: Node, graph: Graph, readers: list[Node]) -> bool:
    return (Transpose.of(node).perm == PIXELS and node.name not in graph.outputs
            and all(is_thin(conv, graph) and node.name not in conv.inputs[1:] for conv in readers))


def _writes(node: Node | None, concat: Node, first: int, graph: Graph,
            readers: dict[str, list[Node]]) -> bool:
    """Whether `node` can write its channels into `concat` from channel `first` on."""
    if node is None or not isinstance(node.attrs, Conv2d) or node.attrs.groups > 1:
        return False
    shape = graph.shape(node.name)
    alone = (concat.inputs.count(node.name) == len(readers[node.name]) == 1
             and node.name not in graph.outputs)
    fours = shape[3] % 4 > 0 or first % 4 == graph.shape(concat.name)[3] % 4 == 0
    # Operands of the output's shape would be read at the concatenation's places.
    return alone and fours and all(graph.shape(name) != shape for name in node.inputs[OWN:])
