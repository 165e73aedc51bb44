"""Epilogues of products of whole numbers.

An i32 sum is converted to f32 and passes the expression. The result is stored as f32, or rounded
and stored as a whole number. No multiply-add is fused, so every device rounds alike.

Rounding adds 1.5 * 2^23 to a number below 2^22 in magnitude. The last mantissa bit of the sum
counts ones, so the sum's bits minus the constant's bits are the rounded number. Source: the "magic
bias" of XNNPACK's requantization.
"""

from collections.abc import Sequence

from ...graph.expr import Expr, call, inp, substitute
from .asm import I32, V128, Function
from .emitter import Emitter
from .epilogue import Epilogue
from .expr import hold_constants, render

MAGIC, MAGIC_BITS = 1.5 * 2**23, 0x4B400000


def without_rounding(expr: Expr) -> Expr:
    """`expr` without its outer rounding, which the store does. Bounds that are whole numbers may
    stand outside of the rounding; they stay."""
    if expr.op in ("min", "max") and expr.args[1].op == "const" and _whole(expr.args[1]):
        return call(expr.op, without_rounding(expr.args[0]), expr.args[1])
    return expr.args[0] if expr.op == "round" else expr


def _whole(expr: Expr) -> bool:
    return expr.value == round(expr.value)


class Requantizer:
    """Applies an epilogue to i32 sums and stores the result; as epilogue.Finisher for f32."""

    def __init__(self, e: Emitter, f: Function, epilogue: Epilogue, params: Sequence[int]) -> None:
        self.e, self.f, self.epilogue, self.params = e, f, epilogue, params
        self.extras = [f.many(2) for _ in params]
        self.at, self.extra_at, self.spare = *f.many(2, I32), f.local(V128)
        lows = [inp(i) + s.low if s.low else inp(i) for i, s in enumerate(epilogue.extras, 1)]
        expr = substitute(epilogue.expr, [inp(0), *lows])
        self.to_whole = epilogue.out.kind != "f32"
        self.expr = without_rounding(expr) if self.to_whole else expr
        self.constants = hold_constants(self.expr, f)
        if self.to_whole:
            self.magic, self.bits = f.many(2)
            f.f32x4(MAGIC).set(self.magic)
            f.i32x4(MAGIC_BITS + epilogue.out.low).set(self.bits)

    def store_pixel(self, pixel: int, channel: int, acc: Sequence[int]) -> None:
        """Stores the vectors `acc` of the pixel at local `pixel`, from local `channel` on, a byte
        offset that counts 4 bytes a channel."""
        f, out = self.f, self.epilogue.out
        f.get(pixel, channel)
        if self.to_whole:
            f.i32({"u8": 2, "i16": 1}[out.kind]).op("i32.shr_u")
        f.op("i32.add").set(self.at)
        self._load_extras(channel, len(acc))
        for v, vector in enumerate(acc):
            f.get(vector).op("f32x4.convert_i32x4_s").set(vector)
            render(self.expr, f, [vector, *(x[v] for x in self.extras)], self.e, self.constants,
                   exact=True)
            if self.to_whole:
                f.get(self.magic).op("f32x4.add").get(self.bits).op("i32x4.sub")
            f.set(vector)
        store_vectors(f, self.at, out.kind, acc)

    def _load_extras(self, channel: int, count: int) -> None:
        f = self.f
        operands = zip(self.epilogue.kinds, self.epilogue.extras, self.params, self.extras,
                       strict=True)
        for kind, storage, param, extra in operands:
            f.get(param, self.at if kind == "residual" else channel).op("i32.add")
            f.set(self.extra_at)
            load_vectors(f, self.extra_at, storage.kind, extra[:count], self.spare)


def load_vectors(f: Function, at: int, kind: str, into: Sequence[int], spare: int) -> None:
    """Loads elements of `kind` at local address `at` as f32, 4 into each of one or two vectors."""
    for v, vector in enumerate(into):
        if kind == "f32":
            f.get(at).load("v128.load", 16 * v).set(vector)
            continue
        if kind == "i16":
            f.get(at).load("v128.load16x4_s", 8 * v)
        else:
            if v == 0:
                f.get(at).load("v128.load8x8_u").set(spare)
            f.get(spare).op(f"i32x4.extend_{'high' if v else 'low'}_i16x8_s")
        f.op("f32x4.convert_i32x4_s").set(vector)


def store_vectors(f: Function, at: int, kind: str, vectors: Sequence[int]) -> None:
    """Stores one or two vectors as elements of `kind` at local address `at`. The vectors hold f32
    for "f32", and i32 that fit `kind` otherwise."""
    if kind == "f32":
        for v, vector in enumerate(vectors):
            f.get(at, vector).store("v128.store", 16 * v)
        return
    f.get(at, vectors[0], vectors[-1]).op("i16x8.narrow_i32x4_s")
    if kind == "u8":
        f.get(vectors[0]).op("i8x16.narrow_i16x8_u")  # its second half is not stored
    size = len(vectors) * {"u8": 4, "i16": 8}[kind]
    if size == 16:
        f.store("v128.store")
    else:
        f.store_lane(f"v128.store{8 * size}_lane", 0)
