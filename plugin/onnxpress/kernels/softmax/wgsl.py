"""softmax on WebGPU: a workgroup holds whole rows and folds them twice."""

from ...emit.wgsl_device import Device
from ...emit.wgsl_expr import number
from ...emit.wgsl_rows import fold, view
from ...emit.wgsl_shader import Dispatch, Port
from ...graph import Graph, Node
from ...layout import dense_strides


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    shape = graph.shape(node.name)
    rows = view(shape, (node.attrs["axis"],), {"x": dense_strides(shape)})
    return [fold(
        "softmax/shader.wgsl", rows, [Port("x", node.inputs[0], shape, rows.wide)],
        Port("out", node.name, shape, rows.wide),
        log=bool(node.attrs["log"]), lowest=number(float("-inf")),
    )]
