"""Makes one product of several small ones that read the same row.

matmul(x, a) and matmul(x, b) with x[1,K] and constant a[K,M], b[K,N] are the first and the last
columns of x times [a b]. To start a step takes longer than a small product runs, and networks that
choose among styles have dozens of them. The columns of each product begin at a multiple of ALIGN,
so that every target can read them as a slice without a copy.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from ..graph.graph import Graph, Node
from ..ops.matmul import MatMul
from ..ops.move import Slice
from .draft import Draft

ALIGN = 128  # columns: 256 bytes in f16, the offset that WebGPU's bindings are a multiple of
SMALL = 1 << 14  # weights (elements) of the largest product that is merged; chosen by trial


def merge_products(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    groups: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if _is_small(node, graph):
            groups.setdefault(node.inputs[0], []).append(node)
    merged = {node.name: group for group in groups.values() if len(group) > 1 for node in group}
    draft = Draft(graph)
    for node in graph.nodes:
        group = merged.get(node.name)
        if group is None:
            draft.keep(node)
        elif node is group[0]:
            _emit(draft, group)
    return draft.finish()


def _is_small(node: Node, graph: Graph) -> bool:
    """Whether `node` is a plain product of a row with at most SMALL constant weights."""
    if node.attrs != MatMul() or node.name in graph.outputs or len(node.inputs) != 3:
        return False
    x, weights, bias = node.inputs
    constant = weights in graph.constants and bias in graph.constants
    return (constant and len(graph.shape(weights)) == len(graph.shape(x)) == 2
            and graph.shape(x)[0] == 1 and prod(graph.shape(weights)) <= SMALL)


def _emit(draft: Draft, group: Sequence[Node]) -> None:
    """Adds one product for the group, and for each of its nodes a slice of that product."""
    starts, columns = [], 0
    for node in group:
        starts.append(columns)
        columns += -(-draft.shape(node.name)[1] // ALIGN) * ALIGN
    first = group[0]
    weights = np.zeros((draft.shape(first.inputs[0])[1], columns), np.float32)
    bias = np.zeros(columns, np.float32)
    for node, start in zip(group, starts, strict=True):
        part = slice(start, start + draft.shape(node.name)[1])
        weights[:, part] = draft.constants[node.inputs[1]]
        bias[part] = draft.constants[node.inputs[2]]
    whole = draft.add(
        MatMul(), (first.inputs[0], draft.constant(f"{first.inputs[1]}.merged", weights),
                   draft.constant(f"{first.inputs[2]}.merged", bias)),
        (1, columns), draft.fresh(f"{first.name}.merged"), like=first.name)
    for node, start in zip(group, starts, strict=True):
        draft.add(Slice(starts=(0, start), steps=(1, 1)), (whole,), draft.shape(node.name),
                  node.name)
