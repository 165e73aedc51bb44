"""Biases that make up for the shift of a layer's mean when its weights are rounded.

A layer with rounded weights is off by the rounding errors times its input. The mean of this error
over the inputs tried is a constant per output channel, and the bias can take it away. Where a
layer's inputs are not centred, as after a ReLU, the mean is most of the error.

Source: M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019, section 4.2, with means of measured inputs.
"""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from ..graph.graph import Graph, Node
from ..ops import OPS
from ..ops.conv import Conv2d
from ..weights.encodings import pieces


def correct_biases(graph: Graph, restored: Callable[[str], np.ndarray],
                   means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bias name -> corrected f32[O], for each layer whose `restored` weights differ from the
    graph's. A bias that several layers share stays as it is. `means`: see Trace."""
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    biases = {}
    for node in graph.nodes:
        if node.name not in means:
            continue
        weights, bias = node.inputs[1:3]
        constant = weights in graph.constants and bias in graph.constants
        rank = OPS[node.op].weights_rank
        if constant and readers[bias] == 1 and graph.constants[weights].ndim == rank:
            exact, got = graph.constants[weights], restored(weights)
            if not np.array_equal(got, exact):
                moved = _mean_shift(node, got, exact, means[node.name])
                biases[bias] = (graph.constants[bias] - moved).astype(np.float32)
    return biases


def _mean_shift(node: Node, got: np.ndarray, exact: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """f64[O]: how far a layer's output moves if its weights become `got`, where every pixel is the
    mean pixel. Rows are added one by one, so every processor gets the same bits."""
    columns = exact.shape[-1]
    groups = node.attrs.groups if isinstance(node.attrs, Conv2d) else 1
    got, exact = (a.reshape(-1, exact.shape[-2], columns).swapaxes(0, 1) for a in (got, exact))
    factors = mean.reshape(groups, -1).T[..., None]
    moved = np.zeros((1, factors.shape[1], columns // factors.shape[1]))
    for part in pieces(exact):
        taps = (got[part].astype(np.float64) - exact[part]).sum(1)
        rows = taps.reshape(len(taps), *moved.shape[1:]) * factors[part]
        moved = np.concatenate((moved, rows)).sum(0, keepdims=True)
    return moved.ravel()
