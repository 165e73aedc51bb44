"""Matrix products on the GPU, for conv2d (implicit) and matmul: tiles, splits, vectors.

C[batch,M,N] = A[batch,M,K] B[batch,K,N]. A's rows are windows of an image; B is rows of a dense
buffer; the result goes through the node's epilogue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod

from ..graph import Graph, Node
from .wgsl_device import Device, Tile
from .wgsl_epilogue import Finish, sum_parts, unfinished
from .wgsl_shader import Dispatch, Port, Work, dispatch
from .wgsl_weights import Weights

SPLITS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
MAX_TILES = 3  # of a program


def choose(work: Work, device: Device) -> tuple[Tile, int]:
    """The tile and the number of parts of K with the least estimated time."""
    _, tile, parts = min((_quickest(tile, work, device) for tile in device.tiles),
                         key=lambda choice: choice[0])
    return tile, parts


def palette(works: Sequence[Work], device: Device) -> Device:
    """The device with the few tiles that serve all of a program's products best, counting the
    compilation of each kind of product."""
    choices = [{tile: _quickest(tile, work, device) for tile in device.tiles} for work in works]

    def cost(tiles: tuple[Tile, ...]) -> float:
        chosen = [min((own[tile] for tile in tiles), key=lambda choice: choice[0])
                  for own in choices]
        return sum(time for time, *_ in chosen) + device.kind * len({tile for _, tile, _ in chosen})

    sets = (s for size in range(1, MAX_TILES + 1) for s in combinations(device.tiles, size))
    return replace(device, tiles=min(sets, key=cost))


def _quickest(tile: Tile, work: Work, device: Device) -> tuple[float, Tile, int]:
    """(cycles, `tile`, parts of K) in the best number of parts."""
    splits = [n for n in SPLITS if n == 1 or work.k // n >= 2 * tile.depth]
    return min(((_cycles(tile, parts, work, device), tile, parts) for parts in splits),
               key=lambda choice: choice[0])


def _cycles(tile: Tile, parts: int, work: Work, device: Device) -> float:
    m, n, k, batch = work.m, work.n, work.k, work.batch
    groups = -(-m // tile.rows) * -(-n // tile.cols) * batch * parts
    steps = -(-k // (parts * tile.depth))
    held = -(-groups // device.processors)
    together = max(1, min(held, device.resident // max(tile.lanes, 128)))
    busy = tile.rows * tile.cols * tile.depth / (device.rate * tile.gain)
    time = steps * max(held * busy, -(-held // together) * device.latency)
    if parts > 1:
        time += device.start + 8 * parts * m * n * batch / device.bandwidth
    return time


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
    column of B) from `batch`; `at` and `channel` are WGSL expressions of `batch`, `m` and `n`, in
    elements. `vector`: M is 1, and A is dense and not wide."""

    work: Work
    a: Port
    view: View
    b: Weights
    places: str
    at: str
    channel: str
    vector: bool = False


def multiply(node: Node, graph: Graph, device: Device, what: list[Product], end: Finish
             ) -> list[Dispatch]:
    """The dispatches of one product whose K is cut into `what`, one piece each, for operands
    larger than a binding."""
    out = graph.shape(node.name)
    wide = out[-1] % 4 == 0 and what[0].work.n % 4 == 0
    plans = [(None, 1) if p.vector else choose(p.work, device) for p in what]
    parts = sum(splits for _, splits in plans)
    if parts == 1:
        target, tail = Port("out", node.name, out, wide), end
    else:
        target = Port("out", f"{node.name}@partial", (parts, *out), wide)
        tail = unfinished(node, graph, wide, node.inputs[2])
    steps, first = [], 0
    for piece, (tile, splits) in zip(what, plans, strict=True):
        shape = {"p": piece, "wide": wide, "finish": tail.text, "first": first * prod(out),
                 "total": prod(out), "splits": splits}
        scratch = {target.value: parts * prod(out)} if parts > 1 and first == 0 else {}
        reads = [piece.a, *piece.b.ports, *tail.ports]
        make = _tiled if tile else _vector
        steps.append(make(reads, target, tile or device, scratch, shape))
        first += splits
    if parts > 1:
        steps.append(sum_parts(node, graph, parts, f"{node.name}@partial", end, wide))
    return steps


def _tiled(reads: list[Port], target: Port, tile: Tile, scratch: dict[str, int],
           shape: dict[str, object]) -> Dispatch:
    p, splits = shape["p"], shape["splits"]
    tiles_m, tiles_n = -(-p.work.m // tile.rows), -(-p.work.n // tile.cols)
    run = -(-p.work.k // (splits * tile.depth)) * tile.depth
    groups = tiles_m * tiles_n * p.work.batch * splits
    made = dispatch("wgsl_gemm.wgsl", reads, [target], groups, scratch, tile=tile,
                    tiles_m=tiles_m, tiles_n=tiles_n, run=run, view=p.view, **shape)
    return replace(made, work=p.work)


def _vector(reads: list[Port], target: Port, device: Device, scratch: dict[str, int],
            shape: dict[str, object]) -> Dispatch:
    """M = 1: one workgroup of 256 sums `quads` columns of vec4f, enough of them to fill a GPU."""
    work = shape["p"].work
    columns = -(-work.n // 4)
    enough = lambda quads: columns * work.batch >= quads * device.processors  # noqa: E731
    quads = next(filter(enough, (32, 16, 8, 4)), 2)
    groups = -(-columns // quads)
    return dispatch("wgsl_vector.wgsl", reads, [target], groups * work.batch, scratch,
                    quads=quads, tiles=groups, **shape)
