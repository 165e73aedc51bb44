"""Biases that make up for what rounding the weights does to a layer's mean.

A layer with rounded weights is off by the rounding times its input; the mean of that over the
inputs tried is a constant per output channel, which the bias can take away. Where inputs are not
centred, after a ReLU, it is most of the error. M. Nagel, M. van Baalen, T. Blankevoort, M. Welling,
"Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.2,
with means of measured inputs.
"""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from .graph import Graph, Node

RANKS = {"conv2d": 4, "matmul": 2}  # of weights that one bias belongs to


def correct_biases(graph: Graph, restored: Callable[[str], np.ndarray],
                   means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bias name -> f32[O], for each layer whose `restored` weights are not the graph's. A bias that
    several layers share stays. `means`: see Trace."""
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    biases = {}
    for node in graph.nodes:
        if node.name not in means:
            continue
        weights, bias = node.inputs[1:3]
        constant = weights in graph.constants and bias in graph.constants
        if constant and readers[bias] == 1 and graph.constants[weights].ndim == RANKS[node.op]:
            error = np.asarray(restored(weights), np.float64) - graph.constants[weights]
            if error.any():
                moved = _mean_output(node, error, means[node.name])
                biases[bias] = (graph.constants[bias] - moved).astype(np.float32)
    return biases


def _mean_output(node: Node, error: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """f64[O]: what a layer with weights `error` gives where every pixel is the mean one. Rows are
    added one by one, so every processor gets the same bits."""
    groups = node.attrs.get("groups", 1)
    taps = error.reshape(-1, error.shape[-2], error.shape[-1]).sum(0)
    rows = taps.reshape(taps.shape[0], groups, -1)
    return (rows * mean.reshape(groups, -1).T[..., None]).sum(0).ravel()
