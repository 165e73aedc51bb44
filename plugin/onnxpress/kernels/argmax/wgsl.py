"""argmax on WebGPU: a tree of (value, index) pairs in workgroup memory for each output."""

from ...emit.layout import dense_strides
from ...emit.wgsl.device import Device
from ...emit.wgsl.rows import fold, view
from ...emit.wgsl.shader import Dispatch, Port
from ...graph.graph import Graph, Node
from ...ops.reduce import ArgMax


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    shape, attrs = graph.shape(node.inputs[0]), ArgMax.of(node)
    strides = dense_strides(shape)
    rows = view(shape, (attrs.axis,), {"x": strides}, wide=False)
    return [fold(
        "argmax/shader.wgsl", rows, [Port("x", node.inputs[0], shape)],
        Port("out", node.name, graph.shape(node.name)), stride=strides[attrs.axis],
        largest=attrs.largest, select_last=attrs.select_last,
    )]
