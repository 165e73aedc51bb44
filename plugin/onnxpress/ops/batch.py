"""Graphs whose samples are independent of each other, so that a batch can run in slices."""

from dataclasses import replace

from ..graph.graph import Graph
from . import OPS, check_shapes


def take_samples(graph: Graph, count: int) -> Graph | None:
    """The graph for batches of `count` samples.

    None if the batch is not the first axis of every input and output, or if a sample's results
    depend on other samples.
    """
    batch = {graph.shape(name)[:1] for name in (*graph.inputs, *graph.outputs)}
    if len(batch) != 1 or batch <= {(), (1,)}:
        return None
    samples = set(graph.inputs)  # the values whose first axis is the batch
    for node in graph.nodes:
        if samples.isdisjoint(node.inputs):
            continue
        rule = OPS[node.op].samples
        if rule is None or not rule(node, graph, samples):
            return None
        samples.update(node.outputs)
    if not samples.issuperset(graph.outputs):
        return None
    values = {name: replace(v, shape=(count, *v.shape[1:])) if name in samples else v
              for name, v in graph.values.items()}
    return check_shapes(Graph(graph.inputs, graph.outputs, graph.nodes, values, graph.constants))
