"""Epilogues of products of whole numbers: i32 sums become f32, pass the expression, and are stored
as f32 or, rounded, as whole numbers.

Nothing here is fused, so that every device rounds alike. A whole number below 2^22 in magnitude is
rounded and becomes an integer by adding 1.5 * 2^23, whose last mantissa bit counts ones: the sum's
bits, less the constant's, are the number. Source: the "magic bias" of XNNPACK's requantization.
"""

from collections.abc import Sequence

from ...graph.expr import Expr, call, inp, substitute
from .asm import I32, V128, Function
from .emitter import Emitter
from .epilogue import Epilogue
from .expr import hold_constants, render

MAGIC, MAGIC_BITS = 1.5 * 2**23, 0x4B400000


def without_rounding(expr: Expr) -> Expr:
    """`expr`, whole numbers between bounds, as numbers whose nearest whole ones it is."""
    if expr.op in ("min", "max") and expr.args[1].op == "const" and _whole(expr.args[1]):
        return call(expr.op, without_rounding(expr.args[0]), expr.args[1])
    return expr.args[0] if expr.op == "round" else expr


def _whole(expr: Expr) -> bool:
    return expr.value == round(expr.value)


class Requantizer:
    """Stores finished pixels inside one kernel; see wasm_epilogue.Finisher."""

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
        """Stores a pixel's vectors `acc`, of channels from local `channel` on, which counts the
        bytes of i32."""
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
    """One or two vectors of f32 from 4 elements each of `kind` at local address `at`."""
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
    """One or two vectors, f32 or i32 that fit `kind`, as elements of it at local address `at`."""
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
