"""argmax on WebGPU: trees of (value, index) in workgroup memory."""

from ...emit.layout import dense_strides
from ...emit.wgsl.device import Device
from ...emit.wgsl.rows import fold, view
from ...emit.wgsl.shader import Dispatch, Port
from ...graph.graph import Graph, Node


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    shape, axis = graph.shape(node.inputs[0]), node.attrs["axis"]
    strides = dense_strides(shape)
    rows = view(shape, (axis,), {"x": strides}, wide=False)
    return [fold(
        "argmax/shader.wgsl", rows, [Port("x", node.inputs[0], shape)],
        Port("out", node.name, graph.shape(node.name)), stride=strides[axis],
        largest=bool(node.attrs["largest"]), select_last=bool(node.attrs["select_last"]),
    )]
