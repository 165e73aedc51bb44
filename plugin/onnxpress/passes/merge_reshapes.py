"""Removes reshapes that change nothing, or that another reshape follows.

A reshape costs no work at run time, but the memory of its operand must then be dense.

1. reshape(reshape(x)) is one reshape.
2. A reshape to the shape it already has is its input.
3. At a graph output, the operator behind case 2 takes the output's name. The reshape stays if its
   input is a graph input, a constant or another output.
4. A reshape of a constant is a constant.
"""

from collections.abc import Callable
from dataclasses import replace

from ..graph.graph import Graph
from ..ops.move import Reshape
from .draft import Draft


def merge_reshapes(graph: Graph, note: Callable[[str, str], None]) -> Graph:
    draft = Draft(graph)
    for node in graph.nodes:
        if not isinstance(node.attrs, Reshape):
            draft.keep(node)
            continue
        source, out = draft.now(node.inputs[0]), node.name
        maker = draft.makers.get(source)
        if maker is not None and isinstance(maker.attrs, Reshape):
            source = maker.inputs[0]
        if source in draft.constants and out not in graph.outputs:
            array = draft.constants[source].reshape(graph.shape(out))
            draft.replace(out, draft.constant(out, array))
        elif draft.shape(source) == graph.shape(out):
            draft.replace(out, source)
        else:
            draft.add(Reshape(), (source,), graph.shape(out), out)
    return _name_outputs(draft.finish())


def _name_outputs(graph: Graph) -> Graph:
    """Case 3: the graph whose outputs are named by the operators that make them."""
    makers = graph.producers()
    names: dict[str, str] = {}
    for out in graph.outputs:
        node = makers.get(out)
        if node is None or not isinstance(node.attrs, Reshape):
            continue
        source = node.inputs[0]
        if (graph.shape(source) == graph.shape(out) and source in makers
                and source not in graph.outputs and source not in names):
            names[source] = out
    if not names:
        return graph
    aliases = set(names.values())
    nodes = [
        replace(node, inputs=tuple(names.get(n, n) for n in node.inputs),
                outputs=tuple(names.get(n, n) for n in node.outputs))
        for node in graph.nodes
        if not (isinstance(node.attrs, Reshape) and node.name in aliases)
    ]
    return graph.rebuild(nodes)
