"""Graph -> the same graph in which pictures of three channels are made with four.

Four channels are one vec4f. So a convolution that makes RGB can use the shaders of all other
layers; a step divides the result into planes at the end. The spare channel holds zeros, or the
results of computing on zeros.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from ...emit.wgsl.shader import Slice
from ...graph.graph import Graph, Node, Value
from ...ops import move
from ...ops.conv import Conv2d
from ...ops.move import Reshape, Transpose
from ...ops.pointwise import Pointwise
from ...ops.reduce import Normalize

PLANES = (0, 3, 1, 2)  # NHWC to NCHW


def fit_channels(graph: Graph) -> tuple[Graph, dict[str, Slice]]:
    """(the graph, the sources of its new constants' numbers)"""
    makers, readers = graph.producers(), graph.consumers()
    values, constants = dict(graph.values), dict(graph.constants)
    slices: dict[str, Slice] = {}
    changed: dict[str, list[Node]] = {}
    for node in graph.nodes:
        chain = _chain(node, graph, makers, readers)
        for link in chain:
            changed[link.name] = _widened(link, graph, makers, values, constants, slices)
        if chain:
            changed[node.name] = _planes(node, graph, values)
    nodes = [new for node in graph.nodes for new in changed.get(node.name, [node])]
    return graph.rebuild(nodes, values, constants), slices


def _chain(node: Node, graph: Graph, makers: Mapping[str, Node],
           readers: Mapping[str, Sequence[Node]]) -> list[Node]:
    """The nodes from a convolution up to `node`, which divides their result into planes.

    Empty if `node` does not do that, or if another node reads a value between.
    """
    if not isinstance(node.attrs, Transpose) or node.attrs.perm != PLANES:
        return []
    shape, chain, name = graph.shape(node.inputs[0]), [], node.inputs[0]
    while True:
        link = makers.get(name)
        if link is None or len(readers[name]) > 1 or name in graph.outputs or shape[0] > 1:
            return []
        chain.insert(0, link)
        if shape[3] % 4 == 0 or not _follows(link, graph, makers):
            return []
        if isinstance(link.attrs, Conv2d):
            return chain
        name = link.inputs[0]


def _follows(node: Node, graph: Graph, makers: Mapping[str, Node]) -> bool:
    """Whether `node` works channel by channel, on operands that can have a further channel."""
    shape, attrs = graph.shape(node.name), node.attrs
    if isinstance(attrs, Conv2d):
        return (attrs.groups == 1 and graph.shape(node.inputs[0])[3] % 4 == 0
                and set(node.inputs[1:]) <= set(graph.constants))
    if isinstance(attrs, Normalize) and 3 in attrs.axes:
        return False
    return (isinstance(attrs, Normalize | Pointwise) and graph.shape(node.inputs[0]) == shape
            and all(n in graph.constants or _row(n, graph, makers) for n in node.inputs[1:]))


def _row(name: str, graph: Graph, makers: Mapping[str, Node]) -> list[Node]:
    """The slice of a single row that gives `name`, and the reshapes behind it.

    Empty if there is no such slice, or if no further elements of the row follow.
    """
    path: list[Node] = []
    while (node := makers.get(name)) is not None and isinstance(node.attrs, Reshape):
        path.insert(0, node)
        name = node.inputs[0]
    if node is None or not isinstance(node.attrs, move.Slice) or node.attrs.steps[-1] != 1:
        return []
    row, count = graph.shape(node.inputs[0]), graph.shape(name)[-1]
    room = prod(row[:-1]) == 1 and node.attrs.starts[-1] + _four(count) <= row[-1]
    return [node, *path] if room else []


def _four(count: int) -> int:
    return -(-count // 4) * 4


def _widened(node: Node, graph: Graph, makers: Mapping[str, Node], values: dict[str, Value],
             constants: dict[str, np.ndarray], slices: dict[str, Slice]) -> list[Node]:
    """`node` with its channels filled up to four, after copies of the rows that it reads."""
    def wider(name: str) -> None:
        shape = values[name].shape
        values[name] = replace(values[name], shape=(*shape[:-1], _four(shape[-1])))

    channels, added, inputs = graph.shape(node.name)[3], [], list(node.inputs)
    for i, name in enumerate(inputs):
        if i == 0 or graph.shape(name)[-1:] != (channels,):
            continue
        inputs[i] = f"{name}@four"
        values[inputs[i]] = replace(values[name], stored="")
        wider(inputs[i])
        if name in constants:
            array = constants[name]
            rows = array.size // channels
            slices[inputs[i]] = Slice(name, 0, channels, rows, _four(channels))
            spare = [(0, 0)] * (array.ndim - 1) + [(0, _four(channels) - channels)]
            constants[inputs[i]] = np.pad(array, spare)
        else:
            added += _copied(_row(name, graph, makers), values)
    wider(node.name)
    return [*added, replace(node, inputs=tuple(inputs))]


def _copied(path: Sequence[Node], values: dict[str, Value]) -> list[Node]:
    """A second slice and its reshapes, for rows with further elements."""
    nodes, source = [], path[0].inputs[0]
    for node in path:
        name = f"{node.name}@four"
        shape = values[node.name].shape
        values[name] = replace(values[node.name], shape=(*shape[:-1], _four(shape[-1])))
        nodes.append(replace(node, inputs=(source,), outputs=(name,)))
        source = name
    return nodes


def _planes(node: Node, graph: Graph, values: dict[str, Value]) -> list[Node]:
    """Nodes that make planes of all channels; the first planes are the result of the old `node`."""
    shape = graph.shape(node.name)
    whole = f"{node.name}@four"
    values[whole] = replace(values[node.name], shape=(shape[0], _four(shape[1]), *shape[2:]))
    return [replace(node, outputs=(whole,)),
            Node(move.Slice(starts=(0,) * 4, steps=(1,) * 4), (whole,), node.outputs)]
