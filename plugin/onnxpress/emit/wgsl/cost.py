"""How long matrix products take on a device, in cycles, and the tiles and ways that take least."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, product

from .device import Device, Tile
from .shader import MAX_BINDING, Work

MAX_TILES = 3  # of a program
# Three transforms belong to each of Winograd's sizes; together they compile in less than the time
# of a product (17, 26 and 26 ms against 67 to 95, NVIDIA 580 through Dawn).
TRANSFORM_KINDS = 3 / 4
# That of the parts' sums takes a quarter of a product's time (20 ms), most of it beside one.
SUM_KIND = 1 / 16


def choose(work: Work, device: Device) -> tuple[Tile, int]:
    """The tile and the number of parts of K with the least estimated time, without transforms."""
    _, tile, parts = min((_quickest(tile, work, device) for tile in device.tiles),
                         key=lambda choice: choice[0])
    return tile, parts


def choose_way(work: Work, device: Device) -> tuple[int, Tile]:
    """The one of `device.sizes` with the least estimated time, and its tile."""
    ways = product(_sizes(work, device.sizes), device.tiles)
    return min(ways, key=lambda way: _way(*way, work, device)[0])


def palette(works: Sequence[Work], device: Device, half: bool = False) -> Device:
    """The device with the few tiles and sizes that serve all of a program's products best, with or
    without parts of K, counting the compilation of each kind of shader. `half`: values lie in
    memory as f16, temporaries as f32; products that read or make these are kinds of their own."""
    return _palette(tuple(Counter(works).items()), device, half)


@lru_cache(64)  # a model's builds differ in how weights are stored, not in their products
def _palette(counts: tuple[tuple[Work, int], ...], device: Device, half: bool) -> Device:
    devices = [replace(device, splits=splits) for splits in dict.fromkeys([device.splits, (1,)])]
    tiles = range(len(device.tiles))
    # (size, index of the tile) -> (cycles, parts of K), of each product; small keys, as each is
    # looked up thousands of times.
    ways = [[{(size, t): _way(size, device.tiles[t], work, d)
              for size, t in product(_sizes(work, (1, *d.sizes)), tiles)} for work, _ in counts]
            for d in devices]

    def cost(d: int, sizes: tuple[int, ...], tiles: tuple[int, ...]) -> float:
        cycles, made, products, any_split = 0.0, set(), set(), False
        for (work, count), own in zip(counts, ways[d], strict=True):
            size, tile = min(product(_sizes(work, sizes), tiles), key=lambda way: own[way][0])
            took, parts = own[size, tile]
            cycles += count * took
            made |= {size} - {1}
            products.add((tile, half and (size > 1, parts > 1)))
            any_split |= parts > 1
        kinds = len(products) + TRANSFORM_KINDS * len(made) + SUM_KIND * any_split
        return cycles + device.kind * kinds

    found, sizes, chosen = min(
        product(range(len(devices)), _sets(device.sizes, len(device.sizes)),
                _sets(tiles, MAX_TILES)),
        key=lambda choice: cost(*choice))
    return replace(devices[found], sizes=sizes, tiles=tuple(device.tiles[t] for t in chosen))


def _sets(items: tuple, most: int) -> Iterator[tuple]:
    return (s for size in range(1, most + 1) for s in combinations(items, size))


def _quickest(tile: Tile, work: Work, device: Device) -> tuple[float, Tile, int]:
    """(cycles, `tile`, parts of K) in the best number of parts."""
    splits = [n for n in device.splits if n == 1 or work.k // n >= 2 * tile.depth]
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


# --- Winograd's algorithm ------------------------------------------------------------------------


def transformed(work: Work, size: int) -> Work:
    """The products of a 3x3 convolution in tiles of `size` x `size` pixels: one for each of the
    (size + 2)^2 cells that a tile reads."""
    images, height, width = work.image
    tiles = images * -(-height // size) * -(-width // size)
    return Work(tiles, work.n, work.k // 9, (size + 2) ** 2)


def _sizes(work: Work, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Those of `sizes` that `work` can be made in; 1, directly, is always one."""
    fits = [size for size in sizes if size == 1 or (work.image and _fits(transformed(work, size)))]
    return tuple(fits) or (1,)


def _fits(work: Work) -> bool:
    return 4 * work.batch * max(work.m * work.k, work.k * work.n, work.m * work.n) <= MAX_BINDING


def _way(size: int, tile: Tile, work: Work, device: Device) -> tuple[float, int]:
    """(cycles, parts of K)"""
    if size == 1:
        cycles, _, parts = _quickest(tile, work, device)
        return cycles, parts
    inner = transformed(work, size)
    return _cycles(tile, 1, inner, device) + _transforms(work, inner, device), 1


def _transforms(work: Work, inner: Work, device: Device) -> float:
    """Cycles of two more dispatches; what they move, and what their products move beyond a direct
    one: the image in and out, V and M each written and read, and the larger weights."""
    cells, c, o = inner.batch * inner.m, inner.k, inner.n
    elements = (work.m + 2 * cells) * (c + o) + (inner.batch - 9) * c * o
    return 2 * device.start + 4 * elements / device.bandwidth
