"""softmax on WebGPU: a workgroup folds whole rows twice, for the maximum and for the sum."""

from ...emit.layout import dense_strides
from ...emit.wgsl.device import Device
from ...emit.wgsl.expr import number
from ...emit.wgsl.rows import fold, view
from ...emit.wgsl.shader import Dispatch, Port
from ...graph.graph import Graph, Node
from ...ops.reduce import Softmax


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    shape, attrs = graph.shape(node.name), Softmax.of(node)
    rows = view(shape, (attrs.axis,), {"x": dense_strides(shape)})
    return [fold(
        "softmax/shader.wgsl", rows, [Port("x", node.inputs[0], shape, rows.wide)],
        Port("out", node.name, shape, rows.wide),
        log=attrs.log, lowest=number(float("-inf")),
    )]
