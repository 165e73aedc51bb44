"""Implicit matrix products: out[pixel, n] = finish(bias[n] + sum_k a[pixel, k] * b[k, n]).

A pixel is one output position; pixels walk the output image row by row. Each pixel sees a window of
`a`, which consists of contiguous runs. A tile of 6 pixels x 8 channels keeps 12 accumulators, 2
vectors of b and 1 splat of a: V8 and SpiderMonkey allocate these 15 vector registers on x86-64.

Source: implicit GEMM after Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning", 2014.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from math import prod
from types import SimpleNamespace

from .asm import I32, V128, Function, function
from .emitter import Affine, Argument, Emitter, affine
from .epilogue import IDENTITY, Epilogue, Finisher
from .requantize import Requantizer
from .share import MANY, divide, runs, share, sync

# Both chosen by trial.
GROUP_BYTES = 192 << 10  # of b, which all tiles read in turn: they fit the L2 cache of small cores
MAX_UNROLL = 9  # the most steps of k in a round of the innermost loop; they divide the run

# Pixels of a tile -> time of one step of k, in units of a sixth of the 6 x 8 tile's step; TILES_8
# for tiles of 8 channels, TILES_4 for tiles of 4. A smaller tile takes more time per pixel: fewer
# accumulators hide less latency, and each load of b serves fewer pixels. Chosen by trial.
TILES_8 = {6: 6.0, 5: 5.2, 4: 4.7, 3: 4.3, 2: 4.1, 1: 4.0}
TILES_4 = {12: 12.0, 6: 7.0, 4: 6.0, 2: 5.0, 1: 4.0}


@dataclass(frozen=True)
class Gemm:
    """One product, for `width` x `height` pixels and `n` channels. Addresses and pitches are bytes.

    `a`: address of the first pixel's window. Windows lie `a_x` apart along a row and `a_row` apart
    from row to row; outputs lie `out_x` and `out_row` apart, from `out` on.
    `taps`: (count, pitch) of each level of runs in a window, from the outer to the inner level.
    `run`: elements of 4 bytes in one run.
    `dot`: kind of the elements. "f32" is one number; "u8" and "i16" are 4 or 2 whole numbers, whose
    sums and bias are i32.
    `b`: weights as packings.gemm lays them out, or, where `b_row` is not 0, rows [k][n] that lie
    `b_row` apart.
    `bias`: address of bias[n]; None stands for 0. `extras`: the epilogue's arguments.
    `limit`: a smaller number of pixels, which the step computes; None stands for all.
    """

    a: Affine
    out: Affine
    b: Affine
    bias: Affine | None
    n: int
    run: int
    width: int
    height: int = 1
    a_x: int = 0
    a_row: int = 0
    out_x: int = 0
    out_row: int = 0
    taps: tuple[tuple[int, int], ...] = ()
    b_row: int = 0
    dot: str = "f32"
    epilogue: Epilogue = IDENTITY
    extras: Sequence[Affine] = field(default=())
    limit: Affine | None = None

    @property
    def k(self) -> int:
        """Elements of a window."""
        return self.run * prod(count for count, _ in self.taps)


def emit_gemm(e: Emitter, g: Gemm) -> None:
    """Emits the calls for one product.

    Channels go in blocks of 8. A last block that is not full is computed first: where pixels have
    no padding, its spare lanes fall on the next pixel's first channels, which later calls
    overwrite. Threads share the pixels, or the channels if there are few tiles of pixels.
    """
    full = g.n // 8
    rest = g.n - 8 * full
    if rest > 4 and 8 * g.epilogue.out.bytes * (full + 1) <= g.out_x:
        full, rest = full + 1, 0  # its spare lanes fall on padding
    if rest:
        lanes = 8 if rest > 4 else 4
        spills = g.epilogue.out.bytes * (8 * full + lanes) > g.out_x
        with nullcontext() if full or not spills else e.alone():
            _emit_blocks(e, g, full, 1, lanes)
        if full and spills:
            sync(e)
    if not full:
        return
    pixels = sum(-(-count // rows) for rows, count in cover(g.width * g.height, TILES_8))
    if pixels < min(full, MANY) and not e.sharing:
        with share(e, full) as (first, count):
            emit_channels(e, g, first, count)
        return
    step = _group(g)
    groups, last = divmod(full, step)
    if groups:
        with e.times(groups) as i:
            _emit_blocks(e, g, i * step, step, 8)
    if last:
        _emit_blocks(e, g, groups * step, last, 8)


def emit_channels(e: Emitter, g: Gemm, first: Affine, count: Affine) -> None:
    """Emits the calls for `count` blocks of 8 channels from block `first` on."""
    with runs(e, first, count, _group(g)) as (block, many):
        _emit_blocks(e, g, block, many, 8)


def _group(g: Gemm) -> int:
    """How many blocks of 8 channels all tiles pass before the next blocks: their part of b is at
    most GROUP_BYTES."""
    return max(1, GROUP_BYTES // (32 * g.k))


def _emit_blocks(e: Emitter, g: Gemm, first: Argument, count: Argument, lanes: int) -> None:
    """Emits the calls for `count` blocks of 8 channels from block `first` on, or, with 4 `lanes`,
    for the 4 channels behind `first` blocks of 8."""
    block = affine(first)
    channel, out = block * 32, g.out + block * (8 * g.epilogue.out.bytes)
    b = g.b + (channel if g.b_row else block * (32 * g.k))
    levels = tuple(t for t in g.taps if t[0] > 1)
    advance, steps = 4 * g.run, []
    for times, pitch in reversed(levels):
        steps.append((times, pitch - advance))
        advance = times * pitch
    bias = [] if g.bias is None else [g.bias + channel]
    unroll = max(u for u in range(1, MAX_UNROLL + 1) if g.run % u == 0)
    start = 0
    for rows, pixels in cover(g.width * g.height, TILES_8 if lanes == 8 else TILES_4):
        variant = Variant(rows=rows, lanes=lanes, unroll=unroll, levels=len(steps),
                          bias=bool(bias), packed=not g.b_row, dot=g.dot, epilogue=g.epilogue)
        tile = e.kernel(("gemm", variant), partial(_tile, e, variant))
        with (share(e, pixels, rows, mirrored=start > 0) as (at, many),
              _below(e, g.limit, start, many) as many):
            y, x = divide(e, at + start, g.width) if g.height > 1 else (Affine(), at + start)
            e.call(
                tile, g.a + (y * g.a_row + x * g.a_x), out + (y * g.out_row + x * g.out_x),
                x, many, g.width, g.a_x, g.a_row - g.width * g.a_x, g.out_x,
                g.out_row - g.width * g.out_x, g.run // unroll, advance, b, g.b_row,
                4 * lanes * count, *bias, *(n for level in reversed(steps) for n in level),
                *g.epilogue.args(g.extras, channel),
            )
        start += pixels


@contextmanager
def _below(e: Emitter, limit: Affine | None, start: int, many: Affine) -> Iterator[Affine]:
    """Runs the body if pixels start..start + many reach below `limit`; gives how many do."""
    if limit is None:
        yield many
        return
    f, left = e.step, e.step.local()
    (limit + -start).push(f)
    f.set(left)
    many.push(f)
    f.get(left)
    many.push(f)
    f.get(left).op("i32.lt_s", "select").tee(left).i32(0).op("i32.gt_s")
    with f.if_():
        yield Affine(0, ((left, 1),))


def cover(pixels: int, tiles: dict[int, float]) -> tuple[tuple[int, int], ...]:
    """The quickest cover of `pixels` by one tile or two: (pixels of the tile, pixels it computes).
    A single tile may compute the last pixel several times. Two tiles cover exactly; the second
    call adds 2 % to the time, chosen by trial."""
    best, choice = float("inf"), ()
    for rows, time in tiles.items():
        if -(-pixels // rows) * time < best and rows < pixels + 4:
            best, choice = -(-pixels // rows) * time, ((rows, pixels),)
    for rows, time in tiles.items():
        for other, other_time in tiles.items():
            for calls in range(1, min(rows, pixels // other + 1)):
                first, rest = divmod(pixels - calls * other, rows)
                total = 1.02 * (first * time + calls * other_time)
                if other < rows and first > 0 and rest == 0 and total < best:
                    best, choice = total, ((rows, first * rows), (other, calls * other))
    return choice


# --- the kernel ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variant:
    """What the code of one tile function depends on: `rows` pixels x `lanes` channels, `unroll`
    steps of k per round, `levels` loops over taps, whether there is a bias, whether b is packed,
    the kind of elements, and the epilogue."""

    rows: int
    lanes: int
    unroll: int
    levels: int
    bias: bool
    packed: bool
    dot: str
    epilogue: Epilogue

    @property
    def vectors(self) -> int:
        """Vectors of 4 channels."""
        return self.lanes // 4


@dataclass(frozen=True, slots=True)
class Locals:
    """The locals of a tile function.

    `p`: the parameters by name. `a`: address of each pixel's window. `acc`: accumulators
    [pixel][vector]. `w`: address in b, `b`: the current vectors of it. `s`: a splat of a.
    `counters`: of the loops over taps. `k`: counter of the rounds of a run.
    """

    p: SimpleNamespace
    a: list[int]
    acc: list[list[int]]
    w: int
    b: list[int]
    s: int
    counters: list[int]
    k: int


def _tile(e: Emitter, v: Variant) -> Function:
    """The function that computes `v.rows` pixels x `v.lanes` channels at a time."""
    names = "a out x pixels width a_x a_wrap out_x out_wrap k back b b_row n_end"
    names += " bias" if v.bias else ""
    names += "".join(f" taps{i} step{i}" for i in range(v.levels)) + v.epilogue.params
    f, p = function(f"gemm{v.rows}x{v.lanes}{v.dot}", names)
    finisher = (Requantizer if v.epilogue.whole else Finisher)(
        e, f, v.epilogue, [getattr(p, x) for x in v.epilogue.params.split()])
    a, out, n = f.many(v.rows, I32), f.many(v.rows, I32), f.local(I32)
    t = Locals(
        p=p, a=a, w=f.local(I32), acc=[f.many(v.vectors) for _ in range(v.rows)],
        b=f.many(v.vectors), s=f.local(V128), counters=f.many(v.levels, I32), k=f.local(I32))
    with f.loop():
        _place(f, p, a, out)
        f.i32(0).set(n).get(p.b).set(t.w)
        with f.loop():
            if not v.packed:
                f.get(p.b, n).op("i32.add").set(t.w)
            _start(f, t.acc, p.bias if v.bias else None, n)
            _window(e, f, v, t, 0)
            for i in range(v.rows):
                finisher.store_pixel(out[i], n, t.acc[i])
                f.get(a[i], p.back).op("i32.sub").set(a[i])
            f.get(n).i32(4 * v.lanes).op("i32.add").tee(n).get(p.n_end).op("i32.lt_u").br_if(0)
        f.get(p.pixels).i32(0).op("i32.gt_s").br_if(0)
    return f


def _place(f: Function, p: SimpleNamespace, a: list[int], out: list[int]) -> None:
    """Sets the addresses of the tile's windows and outputs. Past the last pixel they repeat it."""
    for i in range(len(a)):
        f.get(p.a).set(a[i]).get(p.out).set(out[i])
        f.get(p.pixels).i32(1).op("i32.sub").tee(p.pixels).i32(0).op("i32.gt_s")
        with f.if_():
            f.add_local(p.a, p.a_x).add_local(p.out, p.out_x)
            f.get(p.x).i32(1).op("i32.add").tee(p.x).get(p.width).op("i32.eq")
            with f.if_():
                f.add_local(p.a, p.a_wrap).add_local(p.out, p.out_wrap).i32(0).set(p.x)


def _start(f: Function, acc: list[list[int]], bias: int | None, n: int) -> None:
    """Sets all accumulators to the bias at byte offset `n`, or to 0."""
    first, *others = acc
    for v, vector in enumerate(first):
        if bias is None:
            f.f32x4(0.0)
        else:
            f.get(bias, n).op("i32.add").load("v128.load", 16 * v)
        f.set(vector)
    for row in others:
        for source, vector in zip(first, row, strict=True):
            f.get(source).set(vector)


def _window(e: Emitter, f: Function, v: Variant, t: Locals, level: int) -> None:
    """Adds all runs of a window: loops over taps from `level` inwards, then k along one run."""
    if level < v.levels:
        counter = t.counters[level]
        f.get(getattr(t.p, f"taps{level}")).set(counter)
        with f.times(counter):
            _window(e, f, v, t, level + 1)
            for a in t.a:
                f.add_local(a, getattr(t.p, f"step{level}"))
        return
    f.get(t.p.k).set(t.k)
    with f.times(t.k):
        for u in range(v.unroll):
            row = 16 * v.vectors * u if v.packed else 0
            for i, b in enumerate(t.b):
                f.get(t.w).load("v128.load", row + 16 * i).set(b)
            if not v.packed:
                f.add_local(t.w, t.p.b_row)
            for a, acc in zip(t.a, t.acc, strict=True):
                e.splat(f, a, 4 * u)
                f.set(t.s)
                for b, vector in zip(t.b, acc, strict=True):
                    if v.dot == "f32":
                        e.madd(f, t.s, b, vector)
                    else:
                        e.dot(f, b, t.s, vector, v.dot)
        if v.packed:
            f.add(t.w, 16 * v.vectors * v.unroll)
        for a in t.a:
            f.add(a, 4 * v.unroll)
