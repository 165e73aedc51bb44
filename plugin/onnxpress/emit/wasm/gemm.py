"""Implicit matrix products: out[pixel, n] = finish(bias[n] + sum_k a[pixel, k] * b[k, n]).

Pixels walk an output image row by row; each sees a window of contiguous runs of `a`. One tile of
6 pixels x 8 channels keeps 12 accumulators, 2 vectors of b and 1 splat: the 15 vector registers
that V8 and SpiderMonkey allocate on x86-64.

Source: implicit GEMM after Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning", 2014.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from math import prod
from types import SimpleNamespace

from .asm import I32, V128, Function, function
from .emitter import Affine, Emitter
from .epilogue import IDENTITY, Epilogue, Finisher
from .requantize import Requantizer
from .share import MANY, divide, runs, share, sync

GROUP_BYTES = 192 << 10  # of b that tiles share: stays in the L2 cache of small cores
MAX_UNROLL = 9  # k steps in the innermost loop, a divisor of the run

# Time of one k step of a tile, in that of one pixel of the 6-pixel tile: fewer accumulators leave
# latency unhidden and amortise the loads of b less.
TILES_8 = {6: 6.0, 5: 5.2, 4: 4.7, 3: 4.3, 2: 4.1, 1: 4.0}
TILES_4 = {12: 12.0, 6: 7.0, 4: 6.0, 2: 5.0, 1: 4.0}


@dataclass(frozen=True)
class Gemm:
    """One product; addresses and pitches are bytes.

    `a`: the first window. Windows lie `a_x` apart in a row of `width` outputs, rows `a_row`.
    `taps`: (count, pitch) from the outer to the inner level of runs; a run has `run` elements.
    `dot`: "f32", or the kind of whole numbers of which an element of 4 bytes holds several; their
    sums are i32, as is `bias`.
    `b`: packed [n/8][k][8] (+ [k][4], see wasm_packs), or rows of k when `b_row` is their pitch.
    `bias`: None is zero. `extras` are the epilogue's arguments. `limit`: pixels, where they are
    fewer than width * height.
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
    b_row: int | None = None
    dot: str = "f32"
    epilogue: Epilogue = IDENTITY
    extras: Sequence[Affine] = field(default=())
    limit: Affine | None = None

    @property
    def k(self) -> int:
        return self.run * prod(count for count, _ in self.taps)


def emit_gemm(e: Emitter, g: Gemm) -> None:
    """The calls for one product.

    The channel block that is not full goes first: where pixels are packed without padding, its
    spare lanes fall on the next pixel's first channels, which later calls overwrite. Threads share
    the pixels, or the channels where tiles are few.
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
    """The calls for `count` blocks of 8 channels from `first` on."""
    with runs(e, first, count, _group(g)) as (block, many):
        _emit_blocks(e, g, block, many, 8)


def _group(g: Gemm) -> int:
    """Blocks of 8 channels that tiles go through together."""
    return max(1, GROUP_BYTES // (32 * g.k))


def _emit_blocks(e: Emitter, g: Gemm, first: "Affine | int", count: "Affine | int", lanes: int
                 ) -> None:
    """Blocks first..first+count of 8 channels, or one of 4 after `first` blocks of 8."""
    block = Affine(first) if isinstance(first, int) else first
    channel, out = block * 32, g.out + block * (8 * g.epilogue.out.bytes)
    b = g.b + (channel if g.b_row is not None else block * (32 * g.k))
    levels = tuple(t for t in g.taps if t[0] > 1)
    advance, steps = 4 * g.run, []
    for times, pitch in reversed(levels):
        steps.append((times, pitch - advance))
        advance = times * pitch
    bias = [] if g.bias is None else [g.bias + channel]
    unroll = max(u for u in range(1, MAX_UNROLL + 1) if g.run % u == 0)
    start = 0
    for rows, pixels in cover(g.width * g.height, TILES_8 if lanes == 8 else TILES_4):
        key = ("gemm", rows, lanes, unroll, len(steps), bool(bias), g.b_row is None, g.dot,
               g.epilogue)
        tile = e.kernel(key, lambda key=key: _tile(e, *key[1:]))
        with (share(e, pixels, rows, mirrored=start > 0) as (at, many),
              _below(e, g.limit, start, many) as many):
            y, x = divide(e, at + start, g.width) if g.height > 1 else (Affine(), at + start)
            e.call(
                tile, g.a + (y * g.a_row + x * g.a_x), out + (y * g.out_row + x * g.out_x),
                x, many, g.width, g.a_x, g.a_row - g.width * g.a_x, g.out_x,
                g.out_row - g.width * g.out_x, g.run // unroll, advance, b, g.b_row or 0,
                4 * lanes * count, *bias, *(n for level in reversed(steps) for n in level),
                *g.epilogue.args(g.extras, channel),
            )
        start += pixels


@contextmanager
def _below(e: Emitter, limit: Affine | None, start: int, many: Affine) -> Iterator[Affine]:
    """How many of the pixels `start`..`start + many` lie below `limit`, if any do."""
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
    """(rows of the tile, pixels it does) of one or two tiles that take the least time. One tile
    alone may repeat the last pixel; two cover exactly and cost another 2 % for the second call."""
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


def _tile(e: Emitter, rows: int, lanes: int, unroll: int, levels: int, bias: bool, packed: bool,
          dot: str, finish: Epilogue) -> Function:
    """A function that computes `rows` pixels x `lanes` channels at a time."""
    names = "a out x pixels width a_x a_wrap out_x out_wrap k back b b_row n_end"
    names += " bias" if bias else ""
    names += "".join(f" taps{i} step{i}" for i in range(levels)) + finish.params
    f, p = function(f"gemm{rows}x{lanes}{dot}", names)
    finisher = (Requantizer if finish.whole else Finisher)(
        e, f, finish, [getattr(p, x) for x in finish.params.split()])
    a, out, n = f.many(rows, I32), f.many(rows, I32), f.local(I32)
    t = SimpleNamespace(
        a=a, rows=rows, vectors=lanes // 4, unroll=unroll, packed=packed, dot=dot, p=p,
        w=f.local(I32),
        acc=[f.many(lanes // 4) for _ in range(rows)], b=f.many(lanes // 4), s=f.local(V128),
        counters=f.many(levels, I32), k=f.local(I32),
    )
    with f.loop():
        _place(f, p, a, out)
        f.i32(0).set(n).get(p.b).set(t.w)
        with f.loop():
            if not packed:
                f.get(p.b, n).op("i32.add").set(t.w)
            _start(f, t, p.bias if bias else None, n)
            _window(e, f, t, 0)
            for i in range(rows):
                finisher.store_pixel(out[i], n, t.acc[i])
                f.get(a[i], p.back).op("i32.sub").set(a[i])
            f.get(n).i32(4 * lanes).op("i32.add").tee(n).get(p.n_end).op("i32.lt_u").br_if(0)
        f.get(p.pixels).i32(0).op("i32.gt_s").br_if(0)
    return f


def _place(f: Function, p: SimpleNamespace, a: list[int], out: list[int]) -> None:
    """Addresses of the tile's pixels; after the last pixel they repeat it."""
    for i in range(len(a)):
        f.get(p.a).set(a[i]).get(p.out).set(out[i])
        f.get(p.pixels).i32(1).op("i32.sub").tee(p.pixels).i32(0).op("i32.gt_s")
        with f.if_():
            f.add_local(p.a, p.a_x).add_local(p.out, p.out_x)
            f.get(p.x).i32(1).op("i32.add").tee(p.x).get(p.width).op("i32.eq")
            with f.if_():
                f.add_local(p.a, p.a_wrap).add_local(p.out, p.out_wrap).i32(0).set(p.x)


def _start(f: Function, t: SimpleNamespace, bias: int | None, n: int) -> None:
    for v in range(t.vectors):
        if bias is None:
            f.f32x4(0.0)
        else:
            f.get(bias, n).op("i32.add").load("v128.load", 16 * v)
        f.set(t.acc[0][v])
    for row in t.acc[1:]:
        for v in range(t.vectors):
            f.get(t.acc[0][v]).set(row[v])


def _window(e: Emitter, f: Function, t: SimpleNamespace, level: int) -> None:
    """All runs of a window: loops of taps, then k steps over one run."""
    if level < len(t.counters):
        counter = t.counters[level]
        f.get(getattr(t.p, f"taps{level}")).set(counter)
        with f.times(counter):
            _window(e, f, t, level + 1)
            for a in t.a:
                f.add_local(a, getattr(t.p, f"step{level}"))
        return
    f.get(t.p.k).set(t.k)
    with f.times(t.k):
        for u in range(t.unroll):
            row = 16 * t.vectors * u if t.packed else 0
            for v in range(t.vectors):
                f.get(t.w).load("v128.load", row + 16 * v).set(t.b[v])
            if not t.packed:
                f.add_local(t.w, t.p.b_row)
            for i in range(t.rows):
                e.splat(f, t.a[i], 4 * u)
                f.set(t.s)
                for v in range(t.vectors):
                    if t.dot == "f32":
                        e.madd(f, t.s, t.b[v], t.acc[i][v])
                    else:
                        e.dot(f, t.b[v], t.s, t.acc[i][v], t.dot)
        if t.packed:
            f.add(t.w, 16 * t.vectors * t.unroll)
        for a in t.a:
            f.add(a, 4 * t.unroll)
