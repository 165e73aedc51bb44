"""gather on WebGPU: one invocation per output element; indices out of range are clamped."""

from math import prod

from ...emit.wgsl.device import Device
from ...emit.wgsl.shader import Dispatch, Port, over_elements
from ...graph.graph import Graph, Node
from ...ops.sample import Gather


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    (x, indices), axis = node.inputs, Gather.of(node).axis
    shape, out = graph.shape(x), graph.shape(node.name)
    inner = prod(shape[axis + 1 :])
    wide = inner % 4 == 0
    return [over_elements(
        "gather/shader.wgsl",
        [Port("x", x, shape, wide), Port("indices", indices, graph.shape(indices))],
        Port("out", node.name, out, wide), inner=inner // 4 if wide else inner,
        picked=prod(graph.shape(indices)), length=shape[axis],
    )]
