"""window_sum on WebGPU: an invocation for each output."""

from ...emit.wgsl.device import Device
from ...emit.wgsl.shader import Dispatch, Port, over_elements
from ...graph.graph import Graph, Node
from ...ops.reduce import WindowSum


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    shape, window = graph.shape(node.name), WindowSum.of(node)
    return [over_elements(
        "window_sum/shader.wgsl", [Port("x", node.inputs[0], shape)],
        Port("out", node.name, shape), channels=shape[-1], lo=window.lo, hi=window.hi,
    )]
