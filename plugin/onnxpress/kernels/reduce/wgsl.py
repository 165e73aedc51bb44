"""reduce on WebGPU: a tree in workgroup memory folds each row; a few long rows take two
dispatches."""

from ...emit.layout import dense_strides
from ...emit.wgsl.device import Device
from ...emit.wgsl.expr import number
from ...emit.wgsl.rows import fold, view
from ...emit.wgsl.shader import Dispatch, Port
from ...graph.graph import Graph, Node
from ...ops.reduce import Reduce

# kind -> (neutral element, WGSL that combines s and t)
FOLDS = {
    "sum": ("0.0", "s + t"),
    "mean": ("0.0", "s + t"),
    "prod": ("1.0", "s * t"),
    "max": (number(float("-inf")), "max(s, t)"),
    "min": (number(float("inf")), "min(s, t)"),
}


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    shape, out = graph.shape(node.inputs[0]), graph.shape(node.name)
    kind, axes = Reduce.of(node).kind, Reduce.of(node).axes
    start, combine = FOLDS[kind]
    rows = view(shape, axes, {"x": dense_strides(shape)}, cut=True)
    scale = f"{number(1 / rows.length)} * " if kind == "mean" else ""
    facts = {"kind": kind, "start": start, "combine": combine}
    source = Port("x", node.inputs[0], shape, rows.wide)
    target = Port("out", node.name, out, rows.wide)
    if rows.parts == 1:
        return [fold("reduce/shader.wgsl", rows, [source], target, {}, scale=scale, **facts)]
    partial = (rows.parts, rows.outputs * (4 if rows.wide else 1))
    name = f"{node.name}@partial"
    rest = view(partial, (0,), {"x": dense_strides(partial)})
    return [
        fold("reduce/shader.wgsl", rows, [source], Port("out", name, partial, rows.wide),
             {name: partial[0] * partial[1]}, scale="", **facts),
        fold("reduce/shader.wgsl", rest, [Port("x", name, partial, rest.wide)],
             Port("out", node.name, out, rest.wide), {}, scale=scale, **facts),
    ]
