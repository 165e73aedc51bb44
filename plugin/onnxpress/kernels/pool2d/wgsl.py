"""pool2d on WebGPU: an invocation for each output, or each vec4f of channels."""

from ...emit.wgsl.device import Device
from ...emit.wgsl.expr import number
from ...emit.wgsl.shader import Dispatch, Port, over_elements
from ...graph.graph import Graph, Node
from ...ops.pool import Pool2d


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    _, h, w, c = shape = graph.shape(node.inputs[0])
    _, oh, ow, _ = out = graph.shape(node.name)
    attrs = Pool2d.of(node)
    (kh, kw), (sy, sx), (dy, dx) = attrs.kernel, attrs.strides, attrs.dilations
    top, left, bottom, right = attrs.pads
    largest, wide = attrs.kind == "max", c % 4 == 0
    return [over_elements(
        "pool2d/shader.wgsl", [Port("image", node.inputs[0], shape, wide)],
        Port("out", node.name, out, wide),
        h=h, w=w, c=c // 4 if wide else c, oh=oh, ow=ow, kh=kh, kw=kw, sy=sy, sx=sx, dy=dy, dx=dx,
        top=top, left=left, bottom=bottom, right=right, largest=largest,
        padded=attrs.count_include_pad and not largest,
        type="vec4f" if wide else "f32", start=number(float("-inf")) if largest else "0.0",
    )]
