"""Quantized nodes.

QuantizeLinear and DequantizeLinear stay literal, marked by `quant`, so that a pass can see the
integers. The integer operators become dequantize, operator, quantize.
"""

from math import prod

import numpy as np

from ..graph.expr import inp
from ..ops.attrs import Quant
from ..ops.pointwise import Pointwise, clamp, dequantize, greatest, least, quantize, rounded
from . import linear, spatial
from .builder import Builder
from .call import Call
from .pointwise import cast_to

RANGES = {"i8": (-128, 127), "u8": (0, 255), "i16": (-32768, 32767), "u16": (0, 65535)}


def quantize_linear(b: Builder, call: Call) -> str:
    zero, axis = call.optional(2), call.integer("axis", 1)
    to = b.dtype(zero) if zero else call.dtype("output_dtype", "u8")
    return to_integers(b, call, call.input(0), (call.input(1), zero), axis, to)


def dequantize_linear(b: Builder, call: Call) -> str:
    factors = call.input(1), call.optional(2)
    return from_integers(b, call, call.input(0), factors, call.integer("axis", 1))


Factors = tuple[str, str | None]  # scale, zero point


def to_integers(b: Builder, call: Call, x: str, factors: Factors, axis: int, to: str) -> str:
    if to not in RANGES:
        raise call.refused(f"it quantizes to {to}; {', '.join(RANGES)} are supported")
    lo, hi = RANGES[to]
    return _mapped(b, call, "quantize", x, factors, axis, to, lo=lo, hi=hi)


def from_integers(b: Builder, call: Call, x: str, factors: Factors, axis: int = 0) -> str:
    return _mapped(b, call, "dequantize", x, factors, axis, b.dtype(factors[0]))


def _mapped(b: Builder, call: Call, kind: str, x: str, factors: Factors, axis: int, to: str,
            **limits: float) -> str:
    scale, zero = factors
    known = b.array(zero)
    if known is not None and not known.any():
        zero = None
    operands, along = _aligned(b, call, x, [v for v in (scale, zero) if v], axis)
    names = [x, *operands]
    args = [inp(i) if i < len(names) else None for i in range(3)]
    expr = {"quantize": quantize, "dequantize": dequantize}[kind](*args, **limits)
    quant, blocked = None, along is None and any(b.rank(v) for v in operands)
    if all(v in b.arrays for v in operands) and not blocked:
        zero = operands[1] if zero else None
        quant = Quant(kind, operands[0], zero, along)
    return b.emit(Pointwise(expr=expr, quant=quant), names, to,
                  keep=quant is not None and kind == "dequantize")


def _aligned(b: Builder, call: Call, x: str, operands: list[str],
             axis: int) -> tuple[list[str], int | None]:
    """(scale and zero point that broadcast to x, the axis that they follow)"""
    shape, given = b.shape(x), b.shape(operands[0])
    if any(b.shape(v) != given for v in operands):
        raise call.bad("its scale and zero point have different shapes")
    if prod(given) == 1:
        return [b.reshape(v, ()) for v in operands], None
    axis = call.axis(axis, len(shape))
    if given == (shape[axis],):
        wide = [n if i == axis else 1 for i, n in enumerate(shape)]
        return [b.reshape(v, wide) for v in operands], axis
    block = call.integer("block_size", 0)
    if block < 1 or len(given) != len(shape) or given[axis] != -(-shape[axis] // block):
        raise call.bad(f"its scale {given} does not fit {shape} along axis {axis}")
    if any(v not in b.arrays for v in operands):
        raise call.refused("its blocks' scales are computed at run time; they must be constants")
    cells = tuple(slice(n) if i == axis else slice(None) for i, n in enumerate(shape))
    return [b.constant(np.repeat(b.arrays[v], block, axis)[cells]) for v in operands], None


def qlinear_conv(b: Builder, call: Call) -> str:
    """The bias counts in units of x's scale times w's scale."""
    x = from_integers(b, call, call.input(0), (call.input(1), call.optional(2)))
    w = from_integers(b, call, call.input(3), (call.input(4), call.optional(5)))
    bias = call.optional(8)
    if bias:
        unit = b.pointwise(lambda p, q: p * q, call.input(1), call.input(4))
        bias = b.pointwise(lambda v, u: v * u, bias, unit, result="f32")
    out = spatial.convolve(b, call, x, w, bias)
    factors = call.input(6), call.optional(7)
    return to_integers(b, call, out, factors, 1, b.dtype(call.input(7)))


def qlinear_matmul(b: Builder, call: Call) -> str:
    x = from_integers(b, call, call.input(0), (call.input(1), call.optional(2)), -2)
    y = from_integers(b, call, call.input(3), (call.input(4), call.optional(5)), -1)
    out = linear.multiply(b, x, y)
    return to_integers(b, call, out, (call.input(6), call.input(7)), -1, b.dtype(call.input(7)))


def centred(b: Builder, x: str, zero: str | None, axis: int) -> str:
    """x - zero point, as i32. A vector of zero points follows `axis`."""
    if zero is None:
        return cast_to(b, x, "i32")
    if b.rank(zero) == 1 and prod(b.shape(zero)) > 1:
        place = axis % b.rank(x)
        count = b.shape(zero)[0]
        zero = b.reshape(zero, [count if i == place else 1 for i in range(b.rank(x))])
    return b.pointwise(lambda v, z: v - z, x, zero, result="i32")


def conv_integer(b: Builder, call: Call) -> str:
    x = centred(b, call.input(0), call.optional(2), 1)
    return spatial.convolve(b, call, x, centred(b, call.input(1), call.optional(3), 0), None)


def matmul_integer(b: Builder, call: Call) -> str:
    x = centred(b, call.input(0), call.optional(2), -2)
    return linear.multiply(b, x, centred(b, call.input(1), call.optional(3), -1))


def dynamic_quantize(b: Builder, call: Call) -> tuple[str, str, str]:
    """(x as u8, its scale, its zero point); the range is x's own, stretched to hold zero."""
    x = call.input(0)
    axes = range(b.rank(x))
    lo, hi = (b.reshape(b.reduce(x, kind, axes), ()) for kind in ("min", "max"))
    lo = b.pointwise(lambda v: least(v, 0), lo)
    scale = b.pointwise(lambda p, q: (greatest(q, 0) - p) / 255, lo, hi)
    zero = b.pointwise(lambda p, s: clamp(rounded(-p / s), 0, 255), lo, scale, result="u8")
    return to_integers(b, call, x, (scale, zero), 0, "u8"), scale, zero


LOWERINGS = {
    "QuantizeLinear": quantize_linear,
    "DequantizeLinear": dequantize_linear,
    "QLinearConv": qlinear_conv,
    "QLinearMatMul": qlinear_matmul,
    "ConvInteger": conv_integer,
    "MatMulInteger": matmul_integer,
    "DynamicQuantizeLinear": dynamic_quantize,
}
