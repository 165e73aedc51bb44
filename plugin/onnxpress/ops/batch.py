"""Graphs whose samples do not meet: what a batch needs for running in slices."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..graph.graph import Graph, Node
from . import check_shapes

Rule = Callable[[Node, Graph, set[str]], bool]


def take_samples(graph: Graph, count: int) -> Graph | None:
    """The graph for batches of `count` samples; None where a batch is not the first axis of all
    inputs and outputs, or a sample's results depend on others."""
    batch = {graph.shape(name)[:1] for name in (*graph.inputs, *graph.outputs)}
    if len(batch) != 1 or batch <= {(), (1,)}:
        return None
    samples = set(graph.inputs)  # the values whose first axis is the batch
    for node in graph.nodes:
        if samples.isdisjoint(node.inputs):
            continue
        rule = RULES.get(node.op)
        if rule is None or not rule(node, graph, samples):
            return None
        samples.update(node.outputs)
    if not samples.issuperset(graph.outputs):
        return None
    values = {name: replace(v, shape=(count, *v.shape[1:])) if name in samples else v
              for name, v in graph.values.items()}
    return check_shapes(Graph(graph.inputs, graph.outputs, graph.nodes, values, graph.constants))


def _meets(node: Node, graph: Graph, samples: set[str], operands: tuple[str, ...]) -> bool:
    """Whether each of these operands, broadcast to the output, is its sample's or all samples'."""
    rank = len(graph.shape(node.name))
    return all(len(graph.shape(n)) == rank if n in samples
               else len(graph.shape(n)) < rank or graph.shape(n)[0] == 1 for n in operands)


def _pointwise(node: Node, graph: Graph, samples: set[str]) -> bool:
    return _meets(node, graph, samples, node.inputs)


def _windows(node: Node, graph: Graph, samples: set[str]) -> bool:
    """An image, then weights and a bias of all samples, then the epilogue's operands."""
    x, *own = node.inputs[:3]
    return (x in samples and samples.isdisjoint(own)
            and _meets(node, graph, samples, node.inputs[3:]))


def _matmul(node: Node, graph: Graph, samples: set[str]) -> bool:
    a, b, bias, *extras = node.inputs
    if a not in samples or bias in samples:
        return False
    ranks = {len(graph.shape(n)) for n in (a, b, node.name)}
    paired = len(ranks) == 1 and min(ranks) > 2
    alike = paired if b in samples else (
        len(graph.shape(a)) == len(graph.shape(node.name))
        and (len(graph.shape(b)) == 2 or (paired and graph.shape(b)[0] == 1)))
    return alike and _meets(node, graph, samples, tuple(extras))


def _along(node: Node, graph: Graph, samples: set[str]) -> bool:
    """What goes along one axis, or some, of its first operand."""
    axes = node.attrs.get("axes") or (node.attrs["axis"],)
    return (node.inputs[0] in samples and 0 not in axes
            and _meets(node, graph, samples, node.inputs[1:]))


def _gather(node: Node, graph: Graph, samples: set[str]) -> bool:
    return node.inputs[1] not in samples and node.attrs["axis"] != 0


def _concat(node: Node, graph: Graph, samples: set[str]) -> bool:
    return node.attrs["axis"] != 0 and samples.issuperset(node.inputs)


def _reshape(node: Node, graph: Graph, samples: set[str]) -> bool:
    return graph.shape(node.inputs[0])[:1] == graph.shape(node.name)[:1]


def _slice(node: Node, graph: Graph, samples: set[str]) -> bool:
    return (_reshape(node, graph, samples)
            and (node.attrs["starts"][0], node.attrs["steps"][0]) == (0, 1))


RULES: Mapping[str, Rule] = {
    "argmax": _along,
    "concat": _concat,
    "conv2d": _windows,
    "expand": _pointwise,
    "gather": _gather,
    "interleave": lambda node, graph, samples: samples.issuperset(node.inputs),
    "matmul": _matmul,
    "normalize": _along,
    "pad": lambda node, graph, samples: not node.attrs["before"][0] + node.attrs["after"][0],
    "pointwise": _pointwise,
    "pool2d": _windows,
    "reduce": _along,
    "reshape": _reshape,
    "resize2d": _windows,
    "slice": _slice,
    "softmax": _along,
    "transpose": lambda node, graph, samples: node.attrs["perm"][0] == 0,
    "upsample_zero": _windows,
    "window_sum": lambda node, graph, samples: len(graph.shape(node.name)) > 1,
}
