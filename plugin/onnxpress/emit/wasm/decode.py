"""Decoders: functions that turn a constant from its encoding (weights/encodings.py) into f32.

A decoder takes (src, dst, rows, columns, scales, group). src, dst and scales are byte addresses;
`rows` is the product of all axes but the last, `columns` the last axis, scales are f32, and `group`
is the number of rows that share an int4 scale. A decoder runs forwards and reads an element before
it writes the element's neighbours, so source and target may overlap: it is enough that the stored
bytes end SLACK elements behind the decoded ones. It writes fewer than SLACK elements past the end.
"""

from collections.abc import Callable

from .asm import I32, V128, Function, function
from .emitter import Emitter

PARAMETERS = "src dst rows columns scales group"


def export_all(e: Emitter) -> None:
    """Adds the exported functions `decode_<encoding>`."""
    for encoding, build in DECODERS.items():
        e.kernel(("decode", encoding), build, export=True)


def store_int8(f: Function, to: tuple[int, int], i16: int,
               scales: list[Callable[[], object]]) -> None:
    """Stores i16 * scale as f32 at `to`, a pair (address local, offset in bytes). `i16` is a vector
    local; each function in `scales` pushes the scales of the next 4 of its 8 lanes."""
    address, offset = to
    for v, scale in enumerate(scales):
        f.get(address, i16).op(f"i32x4.extend_{('low', 'high')[v]}_i16x8_s")
        f.op("f32x4.convert_i32x4_s")
        scale()
        f.op("f32x4.mul").store("v128.store", offset + 16 * v)


def _int8() -> Function:
    f, p = function("decode_int8", PARAMETERS)
    scale, left = f.many(2, I32)
    values = f.local(V128)
    with f.times(p.rows):
        f.get(p.scales).set(scale).get(p.columns).set(left)
        with f.loop():
            for at in (0, 8):
                f.get(p.src).load("v128.load8x8_s", at).set(values)
                store_int8(f, (p.dst, 4 * at), values,
                           [lambda at=at: f.get(scale).load("v128.load", 4 * at),
                            lambda at=at: f.get(scale).load("v128.load", 4 * at + 16)])
            f.add(p.src, 16).add(p.dst, 64).add(scale, 64)
            f.get(left).i32(16).op("i32.sub").tee(left).i32(0).op("i32.gt_s").br_if(0)
        f.add_local(p.src, left).get(p.dst, left).i32(2).op("i32.shl", "i32.add").set(p.dst)
    return f


def _int4() -> Function:
    """Each nibble is shifted to the top of a 32-bit lane and back, which extends its sign."""
    f, p = function("decode_int4", PARAMETERS)
    at, src, scale, left, odd, rest = f.many(6, I32)
    nibbles = f.local(V128)
    f.get(p.group).set(rest)
    with f.times(p.rows):
        f.get(p.src, at).i32(1).op("i32.shr_u", "i32.add").set(src)
        f.get(at).i32(1).op("i32.and").i32(2).op("i32.shl").set(odd)
        f.get(p.scales).set(scale).get(p.columns).set(left)
        with f.loop():
            f.get(src).load("v128.load64_zero").get(odd).op("i64x2.shr_u").tee(nibbles)
            f.get(nibbles).shuffle(0, 0, 0, 0).set(nibbles)
            for first in (0, 4):
                f.get(p.dst, nibbles).i32x4(*(1 << 28 - 4 * (first + i) for i in range(4)))
                f.op("i32x4.mul").i32(28).op("i32x4.shr_s", "f32x4.convert_i32x4_s")
                f.get(scale).load("v128.load", 4 * first).op("f32x4.mul")
                f.store("v128.store", 4 * first)
            f.add(src, 4).add(p.dst, 32).add(scale, 32)
            f.get(left).i32(8).op("i32.sub").tee(left).i32(0).op("i32.gt_s").br_if(0)
        f.get(p.dst, left).i32(2).op("i32.shl", "i32.add").set(p.dst).add_local(at, p.columns)
        f.get(rest).i32(1).op("i32.sub").tee(rest).op("i32.eqz")
        with f.if_():
            f.get(p.group).set(rest)
            f.get(p.scales, p.columns).i32(2).op("i32.shl", "i32.add").set(p.scales)
    return f


def _f16() -> Function:
    """As `decodeHalf` in runtime/load/decode.js. The bits of an f16, shifted to an f32's place,
    are too small by the difference of the two exponent biases, which a multiplication mends.
    Infinities and NaN get the exponent of all ones."""
    f, p = function("decode_f16", PARAMETERS)
    left = f.local(I32)
    half, bits = f.many(2)
    number, largest, ones, sign, scale = constants = f.many(5)
    for local, value in zip(constants, (0x7FFF, 0x7BFF, 0x7F800000, 0x8000, 127 + 112 << 23),
                            strict=True):
        f.i32x4(value).set(local)
    f.get(p.rows, p.columns).op("i32.mul").set(left)
    with f.loop():
        for at in range(0, 16, 4):
            f.get(p.dst, p.src).load("v128.load16x4_u", 2 * at).tee(half)
            f.get(number).op("v128.and").tee(bits).i32(13).op("i32x4.shl").get(scale)
            f.op("f32x4.mul").get(bits, largest).op("i32x4.gt_s").get(ones)
            f.op("v128.and", "v128.or").get(half, sign).op("v128.and").i32(16)
            f.op("i32x4.shl", "v128.or").store("v128.store", 4 * at)
        f.add(p.src, 32).add(p.dst, 64)
        f.get(left).i32(16).op("i32.sub").tee(left).i32(0).op("i32.gt_s").br_if(0)
    return f


DECODERS: dict[str, Callable[[], Function]] = {"int8": _int8, "int4": _int4, "f16": _f16}
