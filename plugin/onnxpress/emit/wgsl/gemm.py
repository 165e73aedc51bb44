"""Matrix products on the GPU, for matmul and, as implicit products, for conv2d.

C[batch,M,N] = A[batch,M,K] B[batch,K,N]. The rows of A are windows of an image. The rows of B lie
in a dense buffer. Each element of C passes the node's epilogue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from ...graph.graph import Graph, Node
from ...ops.attrs import Product as ProductAttrs
from .cost import quickest_tile
from .device import Device, Tile
from .epilogue import Finish, sum_parts, unfinished
from .shader import Dispatch, Port, Work, dispatch
from .weights import Weights


@dataclass(frozen=True, slots=True)
class Windows:
    """How A lies in memory: as an image [N,h,w,pitch]. Row m of A is the window of output pixel m.

    A window has kh x kw pixels, of which each batch reads `cg` channels. There are oh x ow outputs
    per image. Windows lie (sy, sx) pixels apart, and their pixels (dy, dx). The first window starts
    `top` rows above and `left` pixels left of the image; `mode` says what lies beyond its border.
    """

    h: int
    w: int
    pitch: int
    kh: int
    kw: int
    cg: int
    oh: int
    ow: int
    sy: int = 1
    sx: int = 1
    dy: int = 1
    dx: int = 1
    top: int = 0
    left: int = 0
    mode: str = "zero"


def matrix(rows: int, k: int, pitch: int) -> Windows:
    """A plain matrix A[rows, k] whose rows lie `pitch` elements apart: an image of one row."""
    return Windows(1, rows, pitch, 1, 1, k, 1, rows)


@dataclass(frozen=True, slots=True)
class Product:
    """One product and its operands.

    `places`: WGSL statements that set a_at (u32, element offset in A) and b_at (vec2u, row and
    column of B) from `batch`. `step`: elements of C between two batches. `channel`: WGSL expression
    of the output's channel from `batch` and `n`. `vector`: M is 1, and A is dense and not wide.
    """

    work: Work
    a: Port
    view: Windows
    b: Weights
    places: str
    step: int
    channel: str
    vector: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A product and its place in the sum over K, as the templates gemm.wgsl and vector.wgsl read
    it.

    `finish`: WGSL of the epilogue. `total`: elements of C. `first`: element of the target at which
    C begins. `splits`: parts into which the piece's K is cut. `scratch`: temporaries to allocate,
    name -> elements.
    """

    p: Product
    wide: bool
    finish: str
    total: int
    first: int = 0
    splits: int = 1
    scratch: Mapping[str, int] = field(default_factory=dict)


def multiply(node: Node, graph: Graph, device: Device, what: list[Product], end: Finish
             ) -> list[Dispatch]:
    """The dispatches of one product. `what` has several pieces where an operand exceeds a binding:
    each piece is a range of K, and a last dispatch adds them."""
    out = graph.shape(node.name)
    whole, start = ProductAttrs.of(node).into or (node.name, 0)
    wide = out[-1] % 4 == 0 and what[0].work.n % 4 == 0
    plans = [(None, 1) if p.vector else quickest_tile(p.work, device) for p in what]
    parts = sum(splits for _, splits in plans)
    partial = f"{node.name}@partial"
    if parts == 1:
        target, tail = Port("out", whole, graph.shape(whole), wide), end
    else:
        target = Port("out", partial, (parts, *out), wide)
        tail = unfinished(node, graph, wide, node.inputs[2])
    steps, first = [], 0
    for p, (tile, splits) in zip(what, plans, strict=True):
        piece = Piece(p, wide, tail.text, prod(out), first * prod(out) + start * (parts == 1),
                      splits, {partial: parts * prod(out)} if parts > 1 and first == 0 else {})
        reads = [p.a, *p.b.ports, *tail.ports]
        steps.append(_tiled(piece, reads, target, tile) if tile else
                     _vector(piece, reads, target, device))
        first += splits
    if parts > 1:
        steps.append(sum_parts(node, graph, parts, partial, end, wide))
    return steps


def batched(what: Product, target: Port[str], tail: Finish, tile: Tile) -> Dispatch:
    """A batch of whole products into the temporary `target`."""
    total = prod(target.shape)
    piece = Piece(what, True, tail.text, total, scratch={target.value: total})
    return _tiled(piece, [what.a, *what.b.ports, *tail.ports], target, tile)


def _tiled(piece: Piece, reads: Sequence[Port], target: Port[str], tile: Tile) -> Dispatch:
    """One workgroup for each tile of C, batch and part of K."""
    work = piece.p.work
    tiles_m, tiles_n = -(-work.m // tile.rows), -(-work.n // tile.cols)
    run = -(-work.k // (piece.splits * tile.depth)) * tile.depth
    groups = tiles_m * tiles_n * work.batch * piece.splits
    made = _dispatch("wgsl/gemm.wgsl", piece, reads, target, groups, tile=tile, tiles_m=tiles_m,
                     tiles_n=tiles_n, run=run, view=piece.p.view)
    return replace(made, work=work, operations=2 * work.m * work.n * work.k * work.batch)


def _vector(piece: Piece, reads: Sequence[Port], target: Port[str], device: Device) -> Dispatch:
    """M = 1: a workgroup of 256 invocations sums `quads` columns of vec4f. `quads` is the largest
    number for which there are workgroups for all processors."""
    work = piece.p.work
    columns = -(-work.n // 4)
    quads = next((n for n in (32, 16, 8, 4) if columns * work.batch >= n * device.processors), 2)
    groups = -(-columns // quads)
    return _dispatch("wgsl/vector.wgsl", piece, reads, target, groups * work.batch, quads=quads,
                     tiles=groups)


def _dispatch(template: str, piece: Piece, reads: Sequence[Port], target: Port[str],
              workgroups: int, **context: object) -> Dispatch:
    """`template` rendered for `piece`, under the names that both templates use."""
    return dispatch(template, reads, [target], workgroups, piece.scratch, {}, p=piece.p,
                    wide=piece.wide, finish=piece.finish, total=piece.total, first=piece.first,
                    splits=piece.splits, pitch=target.shape[-1], **context)
