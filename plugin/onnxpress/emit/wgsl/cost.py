"""Cost model of matrix products on a GPU, in cycles, and the quickest tiles and algorithms by it.

An algorithm is given by its size: 1 computes directly, 2 and 4 are Winograd's F(2x2, 3x3) and
F(4x4, 3x3).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, product

from .device import Device, Tile
from .shader import MAX_BINDING, Work

MAX_TILES = 3  # different tiles of a program; chosen by trial
# Compilation time of shaders, in units of one product shader's (67 to 95 ms, NVIDIA driver 580
# through Dawn). The three transforms of one Winograd size take 17, 26 and 26 ms.
TRANSFORM_KINDS = 3 / 4
# The shader that adds parts of K takes 20 ms, most of it while a product shader compiles.
SUM_KIND = 1 / 16


def quickest_tile(work: Work, device: Device) -> tuple[Tile, int]:
    """(tile, parts of K) with the least estimated time, computed directly."""
    _, tile, parts = min((_quickest(tile, work, device) for tile in device.tiles),
                         key=lambda choice: choice[0])
    return tile, parts


def quickest_size(work: Work, device: Device) -> tuple[int, Tile]:
    """(size, tile) with the least estimated time; `size` is one of `device.sizes`."""
    choices = product(_sizes(work, device.sizes), device.tiles)
    return min(choices, key=lambda choice: _time(*choice, work, device)[0])


def palette(works: Sequence[Work], device: Device, half: bool = False) -> Device:
    """`device` restricted to at most MAX_TILES tiles and to the sizes that serve all products of a
    program best. The estimate counts running and compiling; cutting K into parts may be ruled out.
    `half`: values are f16 and temporaries f32, so a product that reads or writes temporaries needs
    a shader of its own."""
    return _palette(tuple(Counter(works).items()), device, half)


@lru_cache(64)  # the programs of one model have the same products, in several encodings
def _palette(counts: tuple[tuple[Work, int], ...], device: Device, half: bool) -> Device:
    devices = [replace(device, splits=splits) for splits in dict.fromkeys([device.splits, (1,)])]
    tiles = range(len(device.tiles))
    # For each device and product: (size, index of the tile) -> (cycles, parts of K). Indices make
    # keys that hash fast; each entry is looked up thousands of times.
    times = [[{(size, t): _time(size, device.tiles[t], work, d)
               for size, t in product(_sizes(work, (1, *d.sizes)), tiles)} for work, _ in counts]
             for d in devices]

    def cost(d: int, sizes: tuple[int, ...], tiles: tuple[int, ...]) -> float:
        cycles, made, products, any_split = 0.0, set(), set(), False
        for (work, count), own in zip(counts, times[d], strict=True):
            size, tile = min(product(_sizes(work, sizes), tiles), key=lambda pair: own[pair][0])
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


def _sets(items: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    """All sets of 1 to `most` items."""
    return (s for size in range(1, most + 1) for s in combinations(items, size))


def _quickest(tile: Tile, work: Work, device: Device) -> tuple[float, Tile, int]:
    """(cycles, `tile`, parts of K) with the best number of parts."""
    splits = [n for n in device.splits if n == 1 or work.k // n >= 2 * tile.depth]
    return min(((_cycles(tile, parts, work, device), tile, parts) for parts in splits),
               key=lambda choice: choice[0])


def _cycles(tile: Tile, parts: int, work: Work, device: Device) -> float:
    """Cycles of one product. A processor is limited by arithmetic, or by memory latency where too
    few workgroups run at once; parts of K are added by one more dispatch."""
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
    """The products of a 3x3 convolution, Work.image, by Winograd's algorithm in tiles of `size` x
    `size` pixels: a batch with one product for each of the (size + 2)^2 pixels that a tile reads.
    """
    assert work.image, "only a 3x3 convolution of stride 1 is transformed"
    images, height, width = work.image
    tiles = images * -(-height // size) * -(-width // size)
    return Work(tiles, work.n, work.k // 9, (size + 2) ** 2)


def _sizes(work: Work, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes that suit `work`; (1,) if none does."""
    fits = [size for size in sizes if size == 1 or (work.image and _fits(transformed(work, size)))]
    return tuple(fits) or (1,)


def _fits(work: Work) -> bool:
    """Whether each of the product's three matrices fits one binding."""
    return 4 * work.batch * max(work.m * work.k, work.k * work.n, work.m * work.n) <= MAX_BINDING


def _time(size: int, tile: Tile, work: Work, device: Device) -> tuple[float, int]:
    """(cycles, parts of K) of `work` with this algorithm and tile, transforms included."""
    if size == 1:
        cycles, _, parts = _quickest(tile, work, device)
        return cycles, parts
    inner = transformed(work, size)
    return _cycles(tile, 1, inner, device) + _transforms(work, inner, device), 1


def _transforms(work: Work, inner: Work, device: Device) -> float:
    """Cycles that Winograd's algorithm adds: two more dispatches, and the memory traffic beyond a
    direct product's. The image is read and written, the transformed image V and products M are each
    written and read, and the transformed weights are larger."""
    cells, c, o = inner.batch * inner.m, inner.k, inner.n
    elements = (work.m + 2 * cells) * (c + o) + (inner.batch - 9) * c * o
    return 2 * device.start + 4 * elements / device.bandwidth
