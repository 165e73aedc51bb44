"""Conversions: out = expr(x), where x and out may be stored as f32, i16 or u8."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from ...graph.expr import Expr, inp, substitute
from ...graph.graph import Shape
from ...graph.storage import ELEMENT_BYTES, F32, Storage
from ..layout import Tensor, round_up
from ..loops import collapse
from .asm import I32, V128, Function, function
from .emitter import Affine, Emitter, address
from .expr import hold_constants, render
from .loops import at_least, store_lanes
from .requantize import MAGIC, MAGIC_BITS, load_vectors, store_vectors, without_rounding


def words(t: Tensor) -> Tensor:
    """The same memory as a tensor of f32. Each pixel must take a multiple of 4 bytes."""
    per = ELEMENT_BYTES["f32"] // t.storage.bytes
    return replace(t, shape=(*t.shape[:3], -(-t.shape[3] // per)), offset=t.offset // per,
                   strides=(*(s // per for s in t.strides[:3]), 1), storage=F32)


def emit_convert(e: Emitter, expr: Expr, out: Tensor, x: Tensor) -> None:
    """out = expr(x) for tensors of one shape. If `out` is stored as whole numbers, `expr` gives
    whole numbers within that storage's bounds."""
    kinds = x.storage, out.storage
    build = e.kernel(("convert", expr, kinds), partial(_build, e, expr, *kinds))
    lengths, strides = collapse(_whole_pixels(out, x), [out.strides, x.strides])
    if not lengths or any(s[-1] != 1 for s in strides):
        lengths, strides = (*lengths, 1), [(*s, 1) for s in strides]
    lengths = (1, *lengths)
    sides = [tuple(n * t.storage.bytes for n in (0, *s))
             for s, t in zip(strides, (out, x), strict=True)]
    with ExitStack() as stack:
        counters = [stack.enter_context(e.times(n)) for n in lengths[:-2]]
        at = [sum((i * s for i, s in zip(counters, side[:-2], strict=True)), Affine(address(t)))
              for side, t in zip(sides, (out, x), strict=True)]
        e.call(build, *at, lengths[-1], lengths[-2], *(side[-2] for side in sides))


def _whole_pixels(out: Tensor, x: Tensor) -> Shape:
    """The shape, with C rounded up to 4 where the pixels of both tensors have that padding."""
    if len(out.shape) != 4:
        return out.shape
    channels = round_up(out.shape[3], 4)
    padded = min(out.strides[2], x.strides[2]) >= channels
    return (*out.shape[:3], channels) if padded else out.shape


def _build(e: Emitter, expr: Expr, source: Storage, target: Storage) -> Function:
    """The function convert(dst, src, n, rows, dst_row, src_row): `rows` rows of `n` elements;
    `dst_row` and `src_row` are distances of two rows in bytes."""
    f, p = function("convert", "dst src n rows dst_row src_row")
    src, dst, left = f.many(3, I32)
    values, spare, bits = f.many(2), f.local(V128), f.local(V128)
    whole = target.kind != "f32"
    expr = substitute(expr, [inp(0) + source.low if source.low else inp(0)])
    expr = without_rounding(expr) if whole else expr
    constants = hold_constants(expr, f)
    f.i32x4(MAGIC_BITS + target.low).set(bits)

    def compute(count: int) -> list[int]:
        load_vectors(f, src, source.kind, values[:count], spare)
        for value in values[:count]:
            render(expr, f, [value], e, constants, exact=whole)
            if whole:
                f.f32x4(MAGIC).op("f32x4.add").get(bits).op("i32x4.sub")
            f.set(value)
        return values[:count]

    with f.times(p.rows):
        f.get(p.src).set(src).get(p.dst).set(dst).get(p.n).set(left)
        for count in (2, 1):
            with at_least(f, left, 4 * count):
                store_vectors(f, dst, target.kind, compute(count))
                f.add(dst, 4 * count * target.bytes).add(src, 4 * count * source.bytes)
        f.get(left)
        with f.if_():
            (value,) = compute(1)
            if whole:
                store_vectors(f, dst, target.kind, [value])
            else:
                store_lanes(f, left, dst, value)
        f.add_local(p.dst, p.dst_row).add_local(p.src, p.src_row)
    return f
