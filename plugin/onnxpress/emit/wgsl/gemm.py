"""Matrix products on the GPU, for conv2d (implicit) and matmul: tiles, splits, vectors.

C[batch,M,N] = A[batch,M,K] B[batch,K,N]. A's rows are windows of an image; B is rows of a dense
buffer; the result goes through the node's epilogue.
"""

from dataclasses import dataclass, replace
from math import prod

from ...graph.graph import Graph, Node
from .cost import choose
from .device import Device, Tile
from .epilogue import Finish, sum_parts, unfinished
from .shader import Dispatch, Port, Work, dispatch
from .weights import Weights


@dataclass(frozen=True, slots=True)
class View:
    """How A lies in memory: [N,H,W,pitch], of whose last axis each batch reads `cg`. Row m is the
    window of output pixel m; `mode` says what lies beyond the borders."""

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


def matrix(rows: int, k: int, pitch: int) -> View:
    """A plain matrix: an image of one line."""
    return View(1, rows, pitch, 1, 1, k, 1, rows)


@dataclass(frozen=True, slots=True)
class Product:
    """`places` are WGSL statements that set a_at (u32 element offset) and b_at (vec2u: row and
    column of B) from `batch`. Batches of C lie `step` elements apart; `channel` is a WGSL
    expression of `batch` and `n`. `vector`: M is 1, and A is dense and not wide."""

    work: Work
    a: Port
    view: View
    b: Weights
    places: str
    step: int
    channel: str
    vector: bool = False


def multiply(node: Node, graph: Graph, device: Device, what: list[Product], end: Finish
             ) -> list[Dispatch]:
    """The dispatches of one product whose K is cut into `what`, one piece each, for operands
    larger than a binding."""
    out = graph.shape(node.name)
    whole, start = node.attrs.get("into", (node.name, 0))
    wide = out[-1] % 4 == 0 and what[0].work.n % 4 == 0
    plans = [(None, 1) if p.vector else choose(p.work, device) for p in what]
    parts = sum(splits for _, splits in plans)
    if parts == 1:
        target, tail = Port("out", whole, graph.shape(whole), wide), end
    else:
        target = Port("out", f"{node.name}@partial", (parts, *out), wide)
        tail = unfinished(node, graph, wide, node.inputs[2])
    steps, first = [], 0
    for piece, (tile, splits) in zip(what, plans, strict=True):
        shape = {"p": piece, "wide": wide, "finish": tail.text, "total": prod(out),
                 "first": first * prod(out) + start * (parts == 1), "splits": splits}
        scratch = {target.value: parts * prod(out)} if parts > 1 and first == 0 else {}
        reads = [piece.a, *piece.b.ports, *tail.ports]
        make = _tiled if tile else _vector
        steps.append(make(reads, target, tile or device, scratch, shape))
        first += splits
    if parts > 1:
        steps.append(sum_parts(node, graph, parts, f"{node.name}@partial", end, wide))
    return steps


def batched(what: Product, target: Port, tail: Finish, tile: Tile) -> Dispatch:
    """A batch of whole products into a temporary, `target`."""
    shape = {"p": what, "wide": True, "finish": tail.text, "first": 0,
             "total": prod(target.shape), "splits": 1}
    return _tiled([what.a, *what.b.ports, *tail.ports], target, tile,
                  {target.value: prod(target.shape)}, shape)


def _tiled(reads: list[Port], target: Port, tile: Tile, scratch: dict[str, int],
           shape: dict[str, object]) -> Dispatch:
    p, splits = shape["p"], shape["splits"]
    tiles_m, tiles_n = -(-p.work.m // tile.rows), -(-p.work.n // tile.cols)
    run = -(-p.work.k // (splits * tile.depth)) * tile.depth
    groups = tiles_m * tiles_n * p.work.batch * splits
    made = dispatch("wgsl/gemm.wgsl", reads, [target], groups, scratch, tile=tile,
                    tiles_m=tiles_m, tiles_n=tiles_n, run=run, view=p.view,
                    pitch=target.shape[-1], **shape)
    operations = 2 * p.work.m * p.work.n * p.work.k * p.work.batch
    return replace(made, work=p.work, operations=operations)


def _vector(reads: list[Port], target: Port, device: Device, scratch: dict[str, int],
            shape: dict[str, object]) -> Dispatch:
    """M = 1: one workgroup of 256 sums `quads` columns of vec4f, enough of them to fill a GPU."""
    work = shape["p"].work
    columns = -(-work.n // 4)
    enough = lambda quads: columns * work.batch >= quads * device.processors  # noqa: E731
    quads = next(filter(enough, (32, 16, 8, 4)), 2)
    groups = -(-columns // quads)
    return dispatch("wgsl/vector.wgsl", reads, [target], groups * work.batch, scratch,
                    quads=quads, tiles=groups, pitch=target.shape[-1], **shape)
