"""Which operators keep the samples of a batch apart (`Op.samples`).

A rule gets the node, its graph, and the values whose first axis is the batch (`samples`). It tells
whether that holds for the node's outputs too: sample i of an output depends on sample i of the
operands only.
"""

from collections.abc import Callable

from ..graph.graph import Graph, Node
from .attrs import AlongAxes, AlongAxis

Rule = Callable[[Node, Graph, set[str]], bool]


def _meets(node: Node, graph: Graph, samples: set[str], operands: tuple[str, ...]) -> bool:
    """Whether each of `operands` broadcasts to the output sample by sample, or is the same for all
    samples."""
    rank = len(graph.shape(node.name))
    return all(len(graph.shape(n)) == rank if n in samples
               else len(graph.shape(n)) < rank or graph.shape(n)[0] == 1 for n in operands)


def broadcast(node: Node, graph: Graph, samples: set[str]) -> bool:
    """The rule for operands that broadcast to the output."""
    return _meets(node, graph, samples, node.inputs)


def windows(own: int) -> Rule:
    """The rule for an image, weights and a bias for all samples, then the epilogue's operands.
    `own`: how many operands stand before the epilogue's."""
    def rule(node: Node, graph: Graph, samples: set[str]) -> bool:
        x, *others = node.inputs[:own]
        return (x in samples and samples.isdisjoint(others)
                and _meets(node, graph, samples, node.inputs[own:]))
    return rule


def product(node: Node, graph: Graph, samples: set[str]) -> bool:
    """The rule for a[...,M,K] times b[...,K,N], a bias, then the epilogue's operands."""
    a, b, bias, *extras = node.inputs
    if a not in samples or bias in samples:
        return False
    ranks = {len(graph.shape(n)) for n in (a, b, node.name)}
    paired = len(ranks) == 1 and min(ranks) > 2
    alike = paired if b in samples else (
        len(graph.shape(a)) == len(graph.shape(node.name))
        and (len(graph.shape(b)) == 2 or (paired and graph.shape(b)[0] == 1)))
    return alike and _meets(node, graph, samples, tuple(extras))


def along(node: Node, graph: Graph, samples: set[str]) -> bool:
    """The rule for operators that do not work along the first axis of their first operand."""
    return (node.inputs[0] in samples and 0 not in _axes(node)
            and _meets(node, graph, samples, node.inputs[1:]))


def joined(node: Node, graph: Graph, samples: set[str]) -> bool:
    """The rule for operands that all hold samples and are joined along another axis."""
    return 0 not in _axes(node) and samples.issuperset(node.inputs)


def looked_up(node: Node, graph: Graph, samples: set[str]) -> bool:
    """The rule for indices into another axis, if they are the same for all samples."""
    return node.inputs[1] not in samples and 0 not in _axes(node)


def every_operand(node: Node, graph: Graph, samples: set[str]) -> bool:
    """The rule for operators that keep the first axis: every operand holds samples."""
    return samples.issuperset(node.inputs)


def first_axis_kept(node: Node, graph: Graph, samples: set[str]) -> bool:
    """The rule for operators that may change the first axis: it has the operand's length."""
    return graph.shape(node.inputs[0])[:1] == graph.shape(node.name)[:1]


def _axes(node: Node) -> tuple[int, ...]:
    if isinstance(node.attrs, AlongAxes):
        return node.attrs.axes
    return (AlongAxis.of(node).axis,)
