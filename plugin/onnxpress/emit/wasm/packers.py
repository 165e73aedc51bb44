"""Packers: functions that write a constant in the order in which a kernel streams it.

A packer takes (src, dst, *args). `src` and `dst` are byte addresses; args come from the `Packing`
(packings.py) and count elements. Lanes beyond the last channel get whatever follows in memory; a
kernel's results from them reach padding only.
"""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

from .asm import I32, Function, function
from .decode import store_int8
from .emitter import Emitter

# Rows per round. Packers run before V8 optimizes them, and its baseline code keeps nothing in
# registers from one round to the next. Chosen by trial.
UNROLL = 8


def export(kind: str, e: Emitter) -> Function:
    """The exported function `pack_<kind>`."""
    return e.kernel(("pack", kind), lambda: PACKERS[kind](e), export=True)


def export_all(kind: str, e: Emitter) -> None:
    """Adds the exported functions `pack_<kind>`, if the kind has a packer, and
    `pack_<kind>_<encoding>`, which decode while they pack."""
    for name in PACKERS:
        if name == kind or name.startswith(f"{kind}_"):
            export(name, e)


# --- their functions -----------------------------------------------------------------------------


def _gemm(e: Emitter) -> Function:
    f, p = function("pack_gemm", "src dst k n groups pitch")

    def copy(s: int, offset: int, vectors: int) -> None:
        for v in range(vectors):
            f.get(p.dst, s).load("v128.load", 16 * v).store("v128.store", offset + 16 * v)

    f.get(p.pitch).i32(2).op("i32.shl").set(p.pitch)
    _by_columns(f, p, 4, copy)
    return f


def _gemm_int8(e: Emitter) -> Function:
    """As `_gemm`, from i8 with an f32 scale per column at `scales`; `pitch` then counts bytes."""
    f, p = function("pack_gemm_int8", "src dst k n groups pitch scales")
    values, *scale = f.many(3)

    def load_scales(column: int, vectors: int) -> None:
        for v in range(vectors):
            f.get(p.scales, column).i32(2).op("i32.shl", "i32.add")
            f.load("v128.load", 16 * v).set(scale[v])

    def decode(s: int, offset: int, vectors: int) -> None:
        f.get(s).load("v128.load8x8_s").set(values)
        store_int8(f, (p.dst, offset), values, [partial(f.get, x) for x in scale[:vectors]])

    f.get(p.scales, p.src).i32(2).op("i32.shl", "i32.sub").set(p.scales)  # counts from column 0
    _by_columns(f, p, 1, decode, load_scales)
    return f


def _by_columns(f: Function, p: SimpleNamespace, size: int, row: Callable[[int, int, int], None],
                begin: Callable[[int, int], None] = lambda column, vectors: None) -> None:
    """Emits the loops over groups, blocks of 8 columns (or the last 4), and the k rows of a block.

    begin(column, vectors) runs once per block; `column` is the local with the block's address.
    row(s, offset, vectors) packs the part of one row: from local address `s` to dst + `offset`
    bytes, `vectors` vectors. Source elements have `size` bytes.
    """
    left, column, s, i = f.many(4, I32)

    def rows(vectors: int, unroll: int) -> None:
        with f.times(i):
            for u in range(unroll):
                row(s, 16 * vectors * u, vectors)
                f.add_local(s, p.pitch)
            f.add(p.dst, 16 * vectors * unroll)

    with f.times(p.groups):
        f.get(p.n).set(left).get(p.src).set(column)
        with f.loop():
            f.get(column).set(s).get(left).i32(4).op("i32.gt_s")
            with f.if_():
                begin(column, 2)
                f.get(p.k).i32(UNROLL).op("i32.div_u").tee(i)
                with f.if_():
                    rows(2, UNROLL)
                f.get(p.k).i32(UNROLL).op("i32.rem_u").tee(i)
                with f.if_():
                    rows(2, 1)
                f.else_()
                begin(column, 1)
                f.get(p.k).set(i)
                rows(1, 1)
            f.add(column, 8 * size).get(left).i32(8).op("i32.sub").tee(left)
            f.i32(0).op("i32.gt_s").br_if(0)
        f.get(p.src, p.n).i32(size).op("i32.mul", "i32.add").set(p.src)


def _blocks(e: Emitter) -> Function:
    f, p = function("pack_blocks", "src dst taps c o groups merge pitch")
    wide, deep, done, rows, columns, start, group = f.many(7, I32)
    f.get(p.o, p.merge).op("i32.mul").set(columns)
    f.get(p.c, p.merge).op("i32.mul").tee(deep).get(p.taps).op("i32.mul").set(rows)

    def begin(row: int) -> None:
        """Row (tap, ci) belongs to group ci / c and starts at src[(tap * c + ci % c) * pitch]."""
        f.get(row, deep).op("i32.rem_u").get(p.c).op("i32.div_u").set(group)
        f.get(row, deep).op("i32.div_u").get(p.c).op("i32.mul")
        f.get(row, p.c).op("i32.rem_u", "i32.add").get(p.pitch).op("i32.mul").set(start)

    def element(column: int) -> None:
        """The row's element in this column if the column belongs to the row's group, else 0."""
        f.get(start, column).op("i32.add").i32(2).op("i32.shl").get(p.src).op("i32.add")
        f.load("f32.load").f32(0.0)
        f.get(column, p.o).op("i32.div_u").get(group).op("i32.eq", "select")

    with f.loop():
        _look_up(f, p.dst, rows, columns, wide, begin, element)
        f.get(p.src, columns).i32(2).op("i32.shl", "i32.add").set(p.src)
        f.add_local(done, p.merge).get(done, p.groups).op("i32.lt_s").br_if(0)
    return f


def _spread(e: Emitter) -> Function:
    f, p = function("pack_spread", "src dst kh kw c o")
    wide, rows, columns, start, tap = f.many(5, I32)
    f.get(p.kw, p.o).op("i32.mul").set(columns).get(p.kh, p.c).op("i32.mul").set(rows)
    f.get(p.c, p.o).op("i32.mul").set(tap)

    def begin(row: int) -> None:
        """Row (ky, ci) starts at src[(ky * kw * c + ci) * o]."""
        f.get(row, p.c).op("i32.div_u").get(p.kw).op("i32.mul").get(p.c).op("i32.mul")
        f.get(row, p.c).op("i32.rem_u", "i32.add").get(p.o).op("i32.mul").set(start)

    def element(column: int) -> None:
        """Column (kx, oi) lies kx taps and oi elements behind the row's start."""
        f.get(start, column, p.o).op("i32.div_u").get(tap).op("i32.mul", "i32.add")
        f.get(column, p.o).op("i32.rem_u", "i32.add").i32(2).op("i32.shl").get(p.src)
        f.op("i32.add").load("f32.load")

    _look_up(f, p.dst, rows, columns, wide, begin, element)
    return f


def _look_up(f: Function, dst: int, rows: int, columns: int, width: int,
             begin: Callable[[int], None], element: Callable[[int], None]) -> None:
    """Writes [columns/8][rows][8] and, for 1 to 4 last columns, [rows][4], one element at a time;
    lanes beyond the last column repeat it. begin(row) starts a row, then element(column) pushes an
    element of it; `row` and `column` are locals. Local `dst` advances."""
    first, row, lane, column = f.many(4, I32)
    f.i32(0).set(first)
    with f.loop():
        f.i32(8).i32(4).get(columns, first).op("i32.sub").i32(4).op("i32.gt_s", "select")
        f.set(width).i32(0).set(row)
        with f.loop():
            begin(row)
            f.i32(0).set(lane)
            with f.loop():
                f.get(first, lane).op("i32.add").tee(column).get(columns).i32(1).op("i32.sub")
                f.get(column, columns).op("i32.lt_s", "select").set(column)
                f.get(dst)
                element(column)
                f.store("f32.store").add(dst, 4)
                f.get(lane).i32(1).op("i32.add").tee(lane).get(width).op("i32.lt_s").br_if(0)
            f.get(row).i32(1).op("i32.add").tee(row).get(rows).op("i32.lt_s").br_if(0)
        f.add(first, 8).get(first, columns).op("i32.lt_s").br_if(0)


def _winograd(kh: int, kw: int, e: Emitter) -> Function:
    """For each block of channels and each k: one or two vectors through `_filter`."""
    one = e.kernel(("winograd_filter", kh, kw), partial(_filter, kh, kw))
    f, p = function(f"pack_winograd_{kh}x{kw}", "src dst c o")
    left, column, s, i, tap, row, matrix = f.many(7, I32)
    f.get(p.o).i32(2).op("i32.shl").set(row)
    f.get(row, p.c).op("i32.mul").set(tap)
    f.get(p.o).i32(3).op("i32.add").i32(-4).op("i32.and").get(p.c).op("i32.mul")
    f.i32(2).op("i32.shl").set(matrix)
    f.get(p.o).set(left).get(p.src).set(column)
    with f.loop():
        f.get(column).set(s).get(p.c).set(i)
        with f.times(i):
            f.get(s, p.dst, tap, matrix).call(one).add(p.dst, 16)
            f.get(left).i32(4).op("i32.gt_s")
            with f.if_():
                f.get(s).i32(16).op("i32.add").get(p.dst, tap, matrix).call(one).add(p.dst, 16)
            f.add_local(s, row)
        f.add(column, 32).get(left).i32(8).op("i32.sub").tee(left).i32(0).op("i32.gt_s").br_if(0)
    return f


def _filter(kh: int, kw: int) -> Function:
    """Writes U = G g G^T of F(4x4, 3x3), for 4 channels at once: 36 vectors, `matrix` bytes apart.
    g has kh * kw vectors, `tap` bytes apart; taps that a smaller kernel lacks stay 0, the value
    with which locals begin.

    Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.3.
    """
    f, p = function("winograd_filter", "src dst tap matrix")
    g = [f.many(3) for _ in range(3)]
    half = [f.many(3) for _ in range(6)]
    spare = f.many(2)
    for row in g[:kh]:
        for value in row[:kw]:
            f.get(p.src).load("v128.load").set(value).add_local(p.src, p.tap)
    for x in range(3):
        for i, push in enumerate(_filter_row(f, [row[x] for row in g], *spare)):
            push()
            f.set(half[i][x])
    for row in half:
        for push in _filter_row(f, row, *spare):
            f.get(p.dst)
            push()
            f.store("v128.store").add_local(p.dst, p.matrix)
    return f


def _filter_row(f: Function, g: list[int], even: int, odd: int) -> list[Callable[[], object]]:
    """Functions that push the six elements of G (g0, g1, g2). They must run in this order, because
    some reuse the locals `even` and `odd`."""

    def scaled(x: int, k: float) -> Function:
        return f.get(x).f32x4(k).op("f32x4.mul")

    def sixths() -> None:
        f.get(g[0], g[2]).op("f32x4.add").f32x4(-1 / 6).op("f32x4.mul").set(even)
        scaled(g[1], -1 / 6).set(odd)
        f.get(even, odd).op("f32x4.add")

    def twelfths() -> None:
        scaled(g[0], 1 / 24)
        scaled(g[2], 1 / 6).op("f32x4.add").set(even)
        scaled(g[1], 1 / 12).set(odd)
        f.get(even, odd).op("f32x4.add")

    def difference() -> None:
        f.get(even, odd).op("f32x4.sub")

    return [lambda: scaled(g[0], 1 / 4), sixths, difference, twelfths, difference,
            lambda: f.get(g[2])]


def _dot(kind: str) -> Function:
    """For each block of channels and each tap, a unit of 4 ("u8") or 2 ("i16") rows at a time."""
    f, p = function(f"pack_dot_{kind}", "src dst taps c n")
    count = {"u8": 4, "i16": 2}[kind]
    left, column, s, tap, rest = f.many(5, I32)
    rows, out = f.many(count), f.many(2)
    f.get(p.n).set(left).get(p.src).set(column)
    with f.loop():
        f.get(column).set(s).get(p.taps).set(tap)
        with f.times(tap):
            f.get(p.c).set(rest)
            with f.loop():
                for j in range(count):
                    f.get(s).load({"u8": "v128.load64_zero", "i16": "v128.load8x8_s"}[kind])
                    if j:
                        f.i32(0).get(rest).i32(j).op("i32.gt_s", "i32.sub", "i32x4.splat")
                        f.op("v128.and")
                    f.set(rows[j]).get(s).get(p.n).i32(0).get(rest).i32(j).op("i32.gt_s", "select")
                    f.op("i32.add").set(s)
                _interleave(f, kind, rows, out)
                f.get(p.dst, out[0]).store("v128.store").add(p.dst, 16)
                f.get(left).i32(4).op("i32.gt_s")
                with f.if_():
                    f.get(p.dst, out[1]).store("v128.store").add(p.dst, 16)
                f.get(rest).i32(count).op("i32.sub").tee(rest).i32(0).op("i32.gt_s").br_if(0)
        f.add(column, 8).get(left).i32(8).op("i32.sub").tee(left).i32(0).op("i32.gt_s").br_if(0)
    return f


def _interleave(f: Function, kind: str, rows: list[int], out: list[int]) -> None:
    """out[0] and out[1] = columns 0..3 and 4..7 of `rows`; a column's elements lie side by side."""
    if kind == "u8":
        for pair in (0, 2):
            f.get(rows[pair], rows[pair + 1])
            f.shuffle_bytes(*(16 * j + i for i in range(8) for j in (0, 1))).set(rows[pair])
        rows = [rows[0], rows[2]]
    for half in (0, 1):
        f.get(*rows).shuffle_bytes(*(16 * j + 8 * half + 2 * i + b
                                     for i in range(4) for j in (0, 1) for b in (0, 1)))
        f.set(out[half])


def _depthwise(e: Emitter) -> Function:
    f, p = function("pack_depthwise", "src dst taps c")
    left, s, i, row = f.many(4, I32)
    f.get(p.c).tee(left).i32(2).op("i32.shl").set(row)
    with f.loop():
        f.get(p.src).set(s).get(p.taps).set(i)
        with f.times(i):
            f.get(p.dst, s).load("v128.load").store("v128.store").add(p.dst, 16).add_local(s, row)
        f.add(p.src, 16).get(left).i32(4).op("i32.sub").tee(left).i32(0).op("i32.gt_s").br_if(0)
    return f


PACKERS: dict[str, Callable[[Emitter], Function]] = {
    "gemm": _gemm, "gemm_int8": _gemm_int8, "blocks": _blocks, "spread": _spread,
    "depthwise": _depthwise, "dot_u8": lambda e: _dot("u8"), "dot_i16": lambda e: _dot("i16"),
    **{f"winograd_{kh}x{kw}": partial(_winograd, kh, kw) for kh in (2, 3) for kw in (2, 3)},
}
