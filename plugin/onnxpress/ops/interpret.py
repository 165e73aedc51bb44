"""Runs a graph in numpy float64: slow, small, obviously right. Tests of passes and targets compare
with it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import fault_at
from ..graph.graph import Graph, Node
from . import OPS, bound

Watch = Callable[[Node, Sequence[np.ndarray], Sequence[np.ndarray]], None]
Keep = Callable[[str, np.ndarray], np.ndarray]


def interpret(graph: Graph, inputs: Mapping[str, np.ndarray], watch: Watch | None = None,
              keep: Keep | None = None) -> dict[str, np.ndarray]:
    """Output name -> float64 array. `inputs`: name -> array in the graph's shape.

    `watch(node, operands, results)` is called for every node. `keep(name, result)` returns the
    array that the readers of this result get.

    Raises:
        ValueError: an input is missing or has another shape.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in graph.inputs:
        if name not in inputs or np.shape(inputs[name]) != graph.shape(name):
            raise ValueError(f'input "{name}" must be an array of shape {graph.shape(name)}')
        arrays[name] = np.asarray(inputs[name], np.float64)
    arrays.update(graph.constants)
    pending = Counter(name for node in graph.nodes for name in node.inputs)
    pending.update(graph.outputs)
    for node in graph.nodes:
        operands = [arrays[n] for n in node.inputs]
        # Infinities and NaN are results like others.
        with np.errstate(all="ignore"), fault_at(f'{node.op} "{node.name}"'):
            results = OPS[node.op].reference(bound(node, graph), operands)
        if watch:
            watch(node, operands, results)
        if keep:
            results = [keep(n, r) for n, r in zip(node.outputs, results, strict=True)]
        arrays.update(zip(node.outputs, results, strict=True))
        for name in node.inputs:
            pending[name] -= 1
            if not pending[name]:
                del arrays[name]
    return {name: np.asarray(arrays[name], np.float64) for name in graph.outputs}
