"""Border of a strided NHWC tensor: zeros, reflection or the edge. Linear memory only."""

from ...emit.layout import Needs
from ...graph.graph import Graph, Node
from . import js, wasm


def needs(node: Node, graph: Graph, target: str) -> Needs:
    """What this kernel asks of linear memory for `node` on "wasm" or "js"."""
    return {"js": js, "wasm": wasm}[target].needs(node, graph)
