"""normalize on WebGPU: one dispatch passes over each row twice; a few long rows take two
dispatches."""

from ...emit.layout import dense_strides
from ...emit.wgsl.device import Device
from ...emit.wgsl.epilogue import finish
from ...emit.wgsl.expr import number
from ...emit.wgsl.rows import fold, view
from ...emit.wgsl.shader import Dispatch, Port, broadcast_strides
from ...graph.graph import Graph, Node
from ...ops.reduce import Normalize


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    shape, attrs = graph.shape(node.name), Normalize.of(node)
    operands = dict(zip(("x", "scale", "shift"), node.inputs, strict=False))
    strides = {n: broadcast_strides(graph.shape(v), shape) for n, v in operands.items()}
    strides["x"] = dense_strides(shape)
    rows = view(shape, attrs.axes, strides, cut=True)
    end = finish(node, graph, rows.wide)
    reads = [Port("x", node.inputs[0], shape, rows.wide)]
    affine = [Port(n, operands[n], graph.shape(operands[n]), rows.wide) for n in ("scale", "shift")]
    facts = {"finish": end.text, "eps": number(attrs.eps),
             "channels": shape[-1] // (4 if rows.wide else 1)}
    out = Port("out", node.name, shape, rows.wide)
    template = "normalize/shader.wgsl"
    if rows.parts == 1:
        return [fold(template, rows, [*reads, *affine, *end.ports], out, phase="whole", **facts)]
    name = f"{node.name}@stats"
    sizes = (2, rows.parts, rows.outputs * (4 if rows.wide else 1))
    stats = Port("stats", name, sizes, rows.wide)
    return [
        fold(template, rows, reads, Port("out", name, sizes, rows.wide),
             {name: sizes[0] * sizes[1] * sizes[2]}, phase="stats", **facts),
        fold(template, rows, [*reads, *affine, stats, *end.ports], out, phase="apply", **facts),
    ]
