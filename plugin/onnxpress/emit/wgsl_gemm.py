"""Matrix products on the GPU, for conv2d (implicit) and matmul: tiles, splits, vectors.

C[batch,M,N] = A[batch,M,K] B[batch,K,N]. A template that extends `wgsl_gemm.wgsl` says how A is
read; B is rows of a dense buffer; the result goes through the node's epilogue.
"""

from dataclasses import dataclass
from math import prod

from ..graph import Graph, Node
from .wgsl_epilogue import Finish, sum_parts
from .wgsl_shader import Dispatch, Port, dispatch


@dataclass(frozen=True, slots=True)
class Tile:
    """A workgroup makes `rows` x `cols` of C, `depth` of K at a time; an invocation makes
    `height` x 4 of it. Tiles of A and B fit 16 KiB of workgroup memory."""

    rows: int
    cols: int
    depth: int
    height: int

    @property
    def lanes(self) -> int:
        return self.rows // self.height * self.cols // 4


# `gain`: the share of peak arithmetic that the tile's ratio of loads to multiplications allows.
TILES: dict[Tile, float] = {
    Tile(128, 64, 16, 8): 0.6,
    Tile(64, 64, 16, 4): 0.45,
    Tile(32, 64, 16, 4): 0.4,
    Tile(32, 32, 32, 4): 0.35,
    Tile(64, 16, 16, 4): 0.3,
    Tile(128, 8, 16, 4): 0.25,
    Tile(256, 4, 8, 4): 0.2,
}
SPLITS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)

# A large discrete GPU, in cycles: 128 processors of 128 fused multiply-adds and 2048 invocations;
# a step from one tile of K to the next waits for memory unless other workgroups fill the time.
# Smaller GPUs only need fewer workgroups, so what fills the large one serves them too.
PROCESSORS, RATE, RESIDENT = 128, 128, 2048
LATENCY, PASS, BYTES_PER_CYCLE = 700, 4000, 1500


def choose(m: int, n: int, k: int, batch: int) -> tuple[Tile, int]:
    """The tile and the number of parts of K with the least estimated time."""
    return min(
        ((tile, parts) for tile in TILES for parts in SPLITS
         if parts == 1 or k // parts >= 2 * tile.depth),
        key=lambda choice: _cycles(*choice, m, n, k, batch),
    )


def _cycles(tile: Tile, parts: int, m: int, n: int, k: int, batch: int) -> float:
    groups = -(-m // tile.rows) * -(-n // tile.cols) * batch * parts
    steps = -(-k // (parts * tile.depth))
    held = -(-groups // PROCESSORS)
    together = max(1, min(held, RESIDENT // max(tile.lanes, 128)))
    work = tile.rows * tile.cols * tile.depth / (RATE * TILES[tile])
    time = steps * max(held * work, -(-held // together) * LATENCY)
    if parts > 1:
        time += PASS + 8 * parts * m * n * batch / BYTES_PER_CYCLE
    return time


@dataclass(frozen=True, slots=True)
class Product:
    """`places` are WGSL statements that set a_at and b_at (u32 element offsets) from `batch`;
    `at` and `channel` are WGSL expressions of `batch`, `m` and `n`, in elements. B's rows are
    `pitch` elements apart. `vector`: M is 1, and A is dense and not wide."""

    m: int
    n: int
    k: int
    batch: int
    a: Port
    b: Port
    pitch: int
    places: str
    at: str
    channel: str
    vector: bool = False


def multiply(node: Node, graph: Graph, template: str, what: list[Product], end: Finish,
             **context: object) -> list[Dispatch]:
    """The dispatches of one product whose K is cut into `what`, one piece each (for operands
    larger than a binding); `context` is for the template."""
    out = graph.shape(node.name)
    wide = out[-1] % 4 == 0 and what[0].n % 4 == 0
    plans = [(None, 1) if p.vector else choose(p.m, p.n, p.k, p.batch) for p in what]
    parts = sum(splits for _, splits in plans)
    if parts == 1:
        target, tail = Port("out", node.name, out, wide), end
    else:
        kind = "vec4f" if wide else "f32"
        target = Port("out", f"{node.name}@partial", (parts, *out), wide)
        tail = Finish((), f"fn finish(sum: {kind}, at: u32, channel: u32) -> {kind} "
                          "{ return sum; }")
    steps, first = [], 0
    for piece, (tile, splits) in zip(what, plans, strict=True):
        shape = {"p": piece, "wide": wide, "finish": tail.text, "first": first * prod(out),
                 "total": prod(out), "splits": splits, **context}
        scratch = {target.value: parts * prod(out)} if parts > 1 and first == 0 else {}
        reads = [piece.a, piece.b, *tail.ports]
        make = _tiled if tile else _vector
        steps.append(make(template, reads, target, tile, scratch, shape))
        first += splits
    if parts > 1:
        steps.append(sum_parts(node, graph, parts, f"{node.name}@partial", end, wide))
    return steps


def _tiled(template: str, reads: list[Port], target: Port, tile: Tile, scratch: dict[str, int],
           shape: dict[str, object]) -> Dispatch:
    p, splits = shape["p"], shape["splits"]
    tiles_m, tiles_n = -(-p.m // tile.rows), -(-p.n // tile.cols)
    run = -(-p.k // (splits * tile.depth)) * tile.depth
    return dispatch(template, reads, [target], tiles_m * tiles_n * p.batch * splits, scratch,
                    tile=tile, tiles_m=tiles_m, tiles_n=tiles_n, run=run, **shape)


def _vector(template: str, reads: list[Port], target: Port, _: None, scratch: dict[str, int],
            shape: dict[str, object]) -> Dispatch:
    """M = 1: one workgroup of 256 sums `quads` columns of vec4f, enough of them to fill a GPU."""
    p = shape["p"]
    columns = -(-p.n // 4)
    quads = next((q for q in (32, 16, 8, 4) if columns * p.batch >= q * PROCESSORS), 2)
    groups = -(-columns // quads)
    return dispatch("wgsl_vector.wgsl", reads, [target], groups * p.batch, scratch,
                    quads=quads, tiles=groups, **shape)
