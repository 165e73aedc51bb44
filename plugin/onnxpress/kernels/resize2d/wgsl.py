"""resize2d on WebGPU: a table of (index, weight) pairs, or, if each pixel repeats equally often, a
division of indices."""

from ...emit.wgsl.device import Device
from ...emit.wgsl.shader import Dispatch, Port, over_elements
from ...graph.graph import Graph, Node
from ...ops.sample import Resize2d, Taps


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    _, h, w, c = shape = graph.shape(node.inputs[0])
    _, oh, ow, _ = out = graph.shape(node.name)
    rows, cols = Resize2d.of(node).rows, Resize2d.of(node).cols
    wide = c % 4 == 0
    even = _is_even(rows, h) and _is_even(cols, w)
    reads, tables = [Port("image", node.inputs[0], shape, wide)], {}
    if not even:
        name = f"{node.name}@taps"
        tables[name] = (*_flat(rows), *_flat(cols))
        reads.append(Port("taps", name, (len(tables[name]) // 2, 2), pair=True))
    return [over_elements(
        "resize2d/shader.wgsl", reads, Port("out", node.name, out, wide), tables=tables, even=even,
        h=h, w=w, c=c // 4 if wide else c, oh=oh, ow=ow, rows=len(rows[0][0]), cols=len(cols[0][0]),
        type="vec4f" if wide else "f32",
    )]


def _is_even(taps: Taps, length: int) -> bool:
    """Whether output i is a copy of input i * length // outputs."""
    indices, weights = taps
    return all(
        line == (i * length // len(indices),) and weight == (1.0,)
        for i, (line, weight) in enumerate(zip(indices, weights, strict=True))
    )


def _flat(taps: Taps) -> list[float]:
    return [
        number
        for line, weight in zip(*taps, strict=True)
        for pair in zip(line, weight, strict=True)
        for number in pair
    ]
