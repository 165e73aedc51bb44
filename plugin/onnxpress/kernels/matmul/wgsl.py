"""matmul on WebGPU: products in tiles, or dot products along K if M is 1; batches broadcast."""

from math import prod

from ...emit.wgsl.device import Device
from ...emit.wgsl.epilogue import finish
from ...emit.wgsl.gemm import Product, matrix, multiply
from ...emit.wgsl.shader import (
    MAX_BINDING,
    Dispatch,
    Port,
    Slice,
    Work,
    broadcast_strides,
    coalesce,
    walk,
)
from ...emit.wgsl.weights import read_weights
from ...graph.graph import Graph, Node, Shape
from ...weights.encodings import GROUP


def lower(node: Node, graph: Graph, device: Device) -> list[Dispatch]:
    a, b, bias = node.inputs[:3]
    shape_a, shape_b, out = graph.shape(a), graph.shape(b), graph.shape(node.name)
    m, k, n = shape_a[-2], shape_a[-1], shape_b[-1]
    lead = out[:-2]
    if not any(s > 1 for s in shape_b[:-2]):
        # All batches share one b, so they are more rows of one product.
        m, lead = prod(out[:-1]), ()
    batch, steps = coalesce(lead, {
        "a_at": [s * m * k for s in broadcast_strides(shape_a[:-2], lead)],
        "b_row": [s * k for s in broadcast_strides(shape_b[:-2], lead)],
    })
    end = finish(node, graph, n % 4 == 0, bias)
    pieces = []
    for start, length in _pieces(b, shape_b, graph):
        whole = length == k
        part = (b, shape_b) if whole else (Slice(b, start * n, length * n), (length, n))
        wide_a = k % 4 == 0 and start % 4 == 0 and length % 4 == 0
        pieces.append(Product(
            Work(m, n, length, prod(batch)),
            Port("a", a, shape_a, wide_a and m > 1), matrix(m, length, k),
            read_weights(graph, *part, n % 4 == 0),
            places=walk("batch", batch, steps, {"a_at": start}, prefix="z")
            + "\n  let b_at = vec2u(b_row, 0u);",
            step=m * n, channel="n", vector=m == 1,
        ))
    return multiply(node, graph, device, pieces, end)


def _pieces(b: str, shape: Shape, graph: Graph) -> list[tuple[int, int]]:
    """(first row, number of rows) of each piece of b. A constant matrix larger than one binding is
    cut into several pieces."""
    k, n = shape[-2:]
    if b not in graph.constants or 4 * prod(shape) <= MAX_BINDING or prod(shape) > k * n:
        return [(0, k)]
    most = MAX_BINDING // (4 * n) // GROUP * GROUP
    return [(start, min(most, k - start)) for start in range(0, k, most)]
