"""Winograd's F(2x2, 3x3) and F(4x4, 3x3) on WebGPU. A tile of 2x2 or 4x4 outputs takes 16 or 36
products instead of 36 or 144.

    Y = A^T [ sum_c (G g G^T) * (B^T d B) ] A

A run takes three dispatches: pixels d become V[t,tiles,C]; a batch of t products computes M[t] =
V[t] U[t]; M becomes outputs and passes the epilogue. The batch fills a GPU even if the image is
small. One more dispatch computes U[t,C,O] from the weights when they arrive.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, sections 4.1 to
4.3.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from ....emit.wgsl.cost import transformed
from ....emit.wgsl.device import Tile
from ....emit.wgsl.epilogue import finish, unfinished
from ....emit.wgsl.gemm import Product, batched, matrix
from ....emit.wgsl.shader import Dispatch, Port, Work, dispatch
from ....emit.wgsl.weights import made_weights, read_weights
from ....graph.graph import Graph, Node
from ....ops.conv import Conv2d

ITEMS = 16  # tiles that a workgroup transforms; each takes at most 36 vec4f of workgroup memory


def suits(node: Node, graph: Graph) -> bool:
    """Whether `node` is a 3x3 convolution for Winograd's algorithm: stride 1, constant weights,
    channels in fours, and not marked `exact`, because the algorithm rounds."""
    kh, kw, c, o = graph.shape(node.inputs[1])
    attrs = Conv2d.of(node)
    unit = all(n == 1 for n in (*attrs.strides, *attrs.dilations, attrs.groups))
    return (unit and (kh, kw) == (3, 3) and c % 4 == o % 4 == 0
            and node.inputs[1] in graph.constants and not attrs.exact)


def lower(node: Node, graph: Graph, work: Work, size: int, tile: Tile) -> list[Dispatch]:
    """The dispatches of `work` with `size` x `size` outputs per transform. `tile` is the tile of
    the products."""
    x, weights, bias = node.inputs[:3]
    n, h, w, _ = image = graph.shape(x)
    _, oh, ow, o = graph.shape(node.name)
    attrs = Conv2d.of(node)
    (top, left), mode = attrs.pads[:2], attrs.pad_mode
    inner = transformed(work, size)
    points, tiles, c = inner.batch, inner.m, inner.k
    across = -(-ow // size)
    grid = {"size": size, "down": tiles // (n * across), "across": across}
    kernels = Port("b", f"{weights}@{size}x{size}", (points, c, o), wide=True)
    cells = Port("a", f"{node.name}@cells", (points, tiles, c), wide=True)
    sums = Port("out", f"{node.name}@sums", (points, tiles, o), wide=True)
    read = read_weights(graph, weights, graph.shape(weights), True)
    setup = _over_quads("weights", c * o, read.ports, replace(kernels, var="u"), size=size, c=c,
                        o=o, weights=read.text)
    spread = _over_quads(
        "input", tiles * c, [Port("a", x, image, wide=True)], replace(cells, var="v"),
        **grid, h=h, w=w, top=top, left=left, mode=mode, quads=c // 4)
    # The same WGSL text as a direct convolution's product, so that both share a shader.
    what = Product(
        inner, cells, replace(matrix(tiles, c, c), mode=mode),
        made_weights(graph, weights, kernels),
        places=f"let a_at = batch * {tiles * c}u;\n  let b_at = batch * vec2u({c}u, 0u);",
        step=tiles * o, channel="batch * 0u + n",
    )
    multiplied = batched(what, sums, unfinished(node, graph, True, bias), tile)
    end = finish(node, graph, True, bias)
    whole, start = attrs.into or (node.name, 0)
    gathered = _over_quads(
        "output", tiles * o, [replace(sums, var="m"), *end.ports],
        Port("out", whole, graph.shape(whole), wide=True), **grid, oh=oh, ow=ow, quads=o // 4,
        pitch=graph.shape(whole)[3] // 4, start=start // 4, finish=end.text)
    return [replace(setup, once=True, scratch=_elements(kernels)),
            replace(spread, scratch=_elements(cells)), replace(multiplied, work=work), gathered]


def _elements(temporary: Port[str]) -> dict[str, int]:
    """The scratch entry of a temporary: name -> f32 elements."""
    return {temporary.value: prod(temporary.shape)}


def _over_quads(name: str, elements: int, reads: Sequence[Port], write: Port[str],
                **context: object) -> Dispatch:
    """The dispatch of one transform. A workgroup takes ITEMS items of four `elements`; each line of
    an item's tile has an invocation."""
    count = elements // 4
    return dispatch(f"conv2d/wgsl/winograd_{name}.wgsl", reads, [write], -(-count // ITEMS), {}, {},
                    count=count, items=ITEMS, **context)
