"""pointwise on WebGPU: an invocation for each element, or each vec4f if the last axis allows it."""

from ...emit.wgsl.device import Device
from ...emit.wgsl.epilogue import spread
from ...emit.wgsl.expr import function
from ...emit.wgsl.shader import Dispatch, Port, broadcast_strides, coalesce, over_elements, walk
from ...graph.graph import Graph, Node
from ...ops.pointwise import Pointwise


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    out = graph.shape(node.name)
    names = [f"x{i}" for i in range(len(node.inputs))]
    shapes = [graph.shape(v) for v in node.inputs]
    dense = {n: broadcast_strides(s, out) for n, s in zip(names, shapes, strict=True)}
    shape, strides = coalesce(out, dense)
    wide = shape[-1] % 4 == 0
    # Along the last axis an operand is contiguous, and read as vec4f, or equal, and read as f32.
    held = {n: own[-1] == 0 for n, own in strides.items()}
    if wide:
        shape = (*shape[:-1], shape[-1] // 4)
        strides = {
            n: own if held[n] else (*(s // 4 for s in own[:-1]), own[-1])
            for n, own in strides.items()
        }
    reads = [
        Port(n, value, s, wide and not held[n])
        for n, value, s in zip(names, node.inputs, shapes, strict=True)
    ]
    return [over_elements(
        "pointwise/shader.wgsl", reads, Port("out", node.name, out, wide),
        function=function("value", Pointwise.of(node).expr, len(names)), names=names,
        places=walk("i", shape, {f"{n}_at": own for n, own in strides.items()}),
        splat="vec4f" if wide else "f32",
        call=spread("value", [f"v{i}" for i in range(len(names))], wide),
    )]
