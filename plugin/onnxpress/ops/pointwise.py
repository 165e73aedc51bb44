"""ONNX's elementwise operators, a row each: the scalar expression is the whole definition.

A row's function takes one expression an input (None for an absent one) and the ONNX attributes as
keywords, with ONNX's defaults. The keywords `dtype` and `to` receive the first input's and the
result's type: integers divide, wrap and shift otherwise than floats.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ..graph.expr import PRIMS, Expr, call, evaluate, input_indices
from ..graph.graph import Attrs, Node, Shape
from ..graph.storage import Storage
from .attrs import Quant
from .base import EVERY_TARGET, Arrays, Op, Shapes, doubles, need, never
from .layouts import unchanged
from .samples import broadcast


@dataclass(frozen=True, kw_only=True)
class Pointwise(Attrs):
    """Input i of `expr` is operand i. `quant`: what the importer says of a quantize or dequantize.
    `out`: how WebAssembly stores the result of one operand; set by programs/wasm/int8.py."""

    op: ClassVar[str] = "pointwise"
    expr: Expr
    quant: Quant | None = None
    out: Storage | None = None


@dataclass(frozen=True, slots=True)
class Formula:
    """The ONNX operator `name`. `result` is the ONNX type of the output: "same" as the first
    input's, or a dtype."""

    name: str
    build: Callable[..., Expr]
    result: str = "same"


eq, lt, le, exp, log, sqrt, select, floor, trunc = (
    partial(call, name)
    for name in ("eq", "lt", "le", "exp", "log", "sqrt", "select", "floor", "trunc")
)
least, greatest, absolute, tanh, rounded = (
    partial(call, name) for name in ("min", "max", "abs", "tanh", "round")
)

EXP_MAX = 88.0  # exp stays finite in f32 up to 88.72


def clamp(x: Expr, lo: Expr | float, hi: Expr | float) -> Expr:
    return least(greatest(x, lo), hi)


def sigmoid(x: Expr) -> Expr:
    return 1 / (1 + exp(least(-x, EXP_MAX)))


def log1p(x: Expr) -> Expr:
    """log(1 + x) to full precision for small x >= 0.

    Source: Goldberg, "What every computer scientist should know about floating-point
    arithmetic", 1991, theorem 4.
    """
    u = 1 + x
    return select(eq(u, 1), x, log(u) * x / select(eq(u, 1), 1, u - 1))


def softplus(x: Expr) -> Expr:
    return greatest(x, 0) + log1p(exp(-absolute(x)))


def mish(x: Expr) -> Expr:
    """x * tanh(softplus(x)); with e = exp(x) the tanh is (e² + 2e) / (e² + 2e + 2), 1 beyond 20."""
    e = exp(least(x, 20))
    n = e * (e + 2)
    return x * (n / (n + 2))


def gelu(x: Expr, *, approximate: str = "none") -> Expr:
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + call("erf", x * math.sqrt(0.5)))


def clip(x: Expr, lo: Expr | None = None, hi: Expr | None = None, *,
         min: float | None = None, max: float | None = None) -> Expr:
    """Bounds are attributes before opset 11, inputs since."""
    low, high = (lo if lo is not None else min), (hi if hi is not None else max)
    x = x if low is None else greatest(x, low)
    return x if high is None else least(x, high)


def whole(x: Expr) -> Expr:
    """x without its fraction, for a real number x that a device rounds: one that is within 2**-18
    of a whole number, relative to its size, is that number."""
    near = rounded(x)
    return select(le(absolute(x - near), absolute(x) * 2.0**-18), near, trunc(x))


def integer(x: Expr, dtype: str) -> Expr:
    """The real number x as an integer of its type. Where the type has none, such as for infinity
    and NaN, ONNX defines nothing; it is the least one, as in onnxruntime on x86."""
    near, (low, high) = whole(x), limits(dtype)
    return select(le(low, near) * le(near, high), near, low)


def power(x: Expr, y: Expr, *, dtype: str = "f32") -> Expr:
    """x ** y; common constant exponents avoid `pow`, which targets approximate. An integer x gives
    an integer."""
    if dtype not in FLOATS:
        exact = y.op == "const" and y.value in (1, 2, 3, 4)
        real = power(x, y)
        return wrap(real, dtype) if exact else integer(real, dtype)
    if y.op == "const":
        simple = {2.0: lambda: x * x, 0.5: lambda: sqrt(x), 1.0: lambda: x, 3.0: lambda: x * x * x,
                  -1.0: lambda: 1 / x, -0.5: lambda: 1 / sqrt(x), 4.0: lambda: (x * x) * (x * x)}
        if y.value in simple:
            return simple[y.value]()
    return call("pow", x, y)


def fold(op: str, *xs: Expr) -> Expr:
    """A balanced tree of `op` over any number of expressions."""
    terms = list(xs)
    while len(terms) > 1:
        paired = [call(op, a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = [*paired, *terms[len(paired) * 2:]]
    return terms[0]


BITS = {"i8": 8, "u8": 8, "i16": 16, "u16": 16, "i32": 32, "u32": 32, "i64": 64, "u64": 64}
FLOATS = ("f32", "f16", "f64")


def wrap(x: Expr, dtype: str) -> Expr:
    """x modulo the width of an integer type. Of 32 and 64 bits only negative numbers in an unsigned
    type wrap: near the upper end f32 rounds, and a large number must not become a small one."""
    size = 2.0 ** BITS.get(dtype, 64)
    if size > 2.0**16:
        return select(lt(x, 0), x + size, x) if dtype[0] == "u" else x
    low = -size / 2 if dtype[0] == "i" else 0.0
    return x - size * floor((x - low) * (1 / size))


def limits(dtype: str) -> tuple[float, float]:
    """(the least, the largest value) of an integer type."""
    size = 2.0 ** BITS[dtype]
    return (-size / 2, size / 2 - 1) if dtype[0] == "i" else (0.0, size - 1)


def divide(a: Expr, b: Expr, *, dtype: str = "f32") -> Expr:
    """a / b; integers truncate. The half moves a off whole multiples of b, where a division
    that is not correctly rounded (WGSL's) could fall short of the quotient."""
    if dtype in FLOATS:
        return a / b
    return wrap(trunc((a + select(lt(a, 0), -0.5, 0.5)) / b), dtype)


def modulo(a: Expr, b: Expr, *, fmod: int = 0, dtype: str = "f32") -> Expr:
    """The remainder with the sign of b, or of a if `fmod`."""
    if dtype not in FLOATS and fmod:
        return a - b * divide(a, b, dtype=dtype)
    if dtype in FLOATS:
        # An infinite b leaves a as it is; or it is the result itself, where the signs differ.
        apart = 0 if fmod else lt(a, 0) * lt(0, b) + lt(0, a) * lt(b, 0)
        left = a - b * (trunc if fmod else floor)(a / b)
        return select(call("isinf", b) * (1 - call("isinf", a)), select(apart, b, a), left)
    return a - b * floor((a + select(lt(b, 0), -0.5, 0.5)) / b)


def shift(a: Expr, b: Expr, *, direction: str, dtype: str) -> Expr:
    """`a` times 2^b, or divided by it and rounded down. Where b is negative or has no bit left to
    keep, the sign alone is left: -1 of a negative number to the right, else 0."""
    bits = BITS[dtype]
    inside = le(0, b) * lt(b, bits)
    scale = rounded(call("pow", 2, select(inside, b, 0)))
    if direction == "LEFT":
        moved = a * scale
        if dtype == "i32":  # a power of two, or a few bits of one, stays exact beyond 2^31
            moved = moved - 2.0 ** 32 * floor((moved + 2.0 ** 31) * 2.0 ** -32)
        return select(inside, wrap(moved, dtype), 0)
    return select(inside, floor((a + 0.5) / scale), -lt(a, 0))


def invert(x: Expr, *, dtype: str) -> Expr:
    """Every bit flipped: -1 - x in two's complement."""
    return (2.0 ** BITS[dtype] - 1 if dtype[0] == "u" else -1.0) - x


def cast(x: Expr, *, dtype: str, to: str) -> Expr:
    """x as type `to`. Narrower floats keep f32 precision: every value is an f32 at run time."""
    if to == "bool":
        return 1 - eq(x, 0)
    if to in FLOATS or dtype == "bool":
        return x
    if dtype in FLOATS:
        return wrap(trunc(x), to) if BITS[to] <= 16 else trunc(x)
    if dtype[0] == "u" and BITS[dtype] >= BITS[to] > 16 and to[0] == "i":
        return select(le(2.0 ** (BITS[to] - 1), x), x - 2.0 ** BITS[to], x)
    return wrap(x, to) if BITS[to] < BITS[dtype] or dtype[0] != to[0] else x


def infinite(x: Expr, *, detect_negative: int = 1, detect_positive: int = 1) -> Expr:
    if not (detect_negative or detect_positive):
        return lt(x, x)
    found = call("isinf", x)
    if not detect_negative:
        found = found * lt(0, x)
    return found if detect_positive else found * lt(x, 0)


def quantize(x: Expr, scale: Expr, zero: Expr | None, *, lo: float, hi: float) -> Expr:
    steps = rounded(x / scale)
    return clamp(steps if zero is None else steps + zero, lo, hi)


def dequantize(x: Expr, scale: Expr, zero: Expr | None) -> Expr:
    return (x if zero is None else x - zero) * scale


SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def _same(prim: str) -> Callable[[Expr], Expr]:
    return lambda x: call(prim, x)


FORMULAS: dict[str, Formula] = {
    row.name: row
    for row in (
        *(Formula(name, _same(name.lower())) for name in (
            "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf",
            "Exp", "Floor", "Log", "Round", "Sin", "Sinh", "Sqrt", "Tan", "Tanh",
        )),
        Formula("Abs", lambda x, *, dtype: wrap(absolute(x), dtype)),
        Formula("Neg", lambda x, *, dtype: wrap(-x, dtype)),
        Formula("Add", lambda a, b, *, dtype: wrap(a + b, dtype)),
        Formula("Sub", lambda a, b, *, dtype: wrap(a - b, dtype)),
        Formula("Mul", lambda a, b, *, dtype: wrap(a * b, dtype)),
        Formula("Div", divide),
        Formula("Mod", modulo),
        Formula("Pow", power),
        Formula("Sum", lambda *xs: fold("add", *xs)),
        Formula("Mean", lambda *xs: fold("add", *xs) * (1 / len(xs))),
        Formula("Max", lambda *xs: fold("max", *xs)),
        Formula("Min", lambda *xs: fold("min", *xs)),
        Formula("Reciprocal", lambda x: 1 / x),
        Formula("Sign", lambda x: select(call("isnan", x), x, lt(0, x) - lt(x, 0))),
        Formula("Clip", clip),
        Formula("Relu", lambda x: greatest(x, 0)),
        Formula("LeakyRelu", lambda x, *, alpha=0.01: select(lt(x, 0), alpha * x, x)),
        Formula("PRelu", lambda x, slope: select(lt(x, 0), slope * x, x)),
        Formula("ThresholdedRelu", lambda x, *, alpha=1.0: select(lt(alpha, x), x, 0)),
        Formula("Elu", lambda x, *, alpha=1.0:
                select(lt(x, 0), alpha * (exp(least(x, 0)) - 1), x)),
        Formula("Celu", lambda x, *, alpha=1.0:
                greatest(x, 0) + alpha * (exp(least(x, 0) / alpha) - 1)),
        Formula("Selu", lambda x, *, alpha=SELU_ALPHA, gamma=SELU_GAMMA:
                gamma * select(lt(0, x), x, alpha * (exp(least(x, 0)) - 1))),
        Formula("Gelu", gelu),
        Formula("HardSigmoid", lambda x, *, alpha=0.2, beta=0.5: clamp(alpha * x + beta, 0, 1)),
        Formula("HardSwish", lambda x: x * clamp(x + 3, 0, 6) * (1 / 6)),
        Formula("Mish", mish),
        Formula("Shrink", lambda x, *, lambd=0.5, bias=0.0:
                  select(lt(x, -lambd), x + bias, select(lt(lambd, x), x - bias, 0))),
        Formula("Sigmoid", sigmoid),
        Formula("Softplus", softplus),
        Formula("Softsign", lambda x: x / (1 + absolute(x))),
        Formula("Swish", lambda x, *, alpha=1.0: x * sigmoid(alpha * x)),
        Formula("Equal", lambda a, b: eq(a, b), "bool"),
        Formula("Less", lambda a, b: lt(a, b), "bool"),
        Formula("LessOrEqual", lambda a, b: le(a, b), "bool"),
        Formula("Greater", lambda a, b: lt(b, a), "bool"),
        Formula("GreaterOrEqual", lambda a, b: le(b, a), "bool"),
        Formula("And", lambda a, b: a * b, "bool"),
        Formula("Or", lambda a, b: greatest(a, b), "bool"),
        Formula("Xor", lambda a, b: absolute(a - b), "bool"),
        Formula("Not", lambda x: 1 - x, "bool"),
        Formula("IsInf", infinite, "bool"),
        Formula("IsNaN", lambda x: call("isnan", x), "bool"),
        Formula("Where", lambda c, a, b: select(c, a, b)),
        Formula("BitShift", shift),
        Formula("BitwiseAnd", lambda a, b: call("band", a, b)),
        Formula("BitwiseOr", lambda a, b: call("bor", a, b)),
        Formula("BitwiseXor", lambda a, b: call("bxor", a, b)),
        Formula("BitwiseNot", invert),
    )
}

def quant_of(node: Node) -> Quant | None:
    """The importer's mark on `node`, if it is a quantize or dequantize."""
    return node.attrs.quant if isinstance(node.attrs, Pointwise) else None


# Primitive -> its error in f32 ulps on the least accurate target. The figures for arithmetic are
# the rules of WGSL, section 15.7.4. The others hold for polynomials of a few terms. Primitives that
# are not listed are exact.
ULPS = {
    "add": 0.5, "sub": 0.5, "mul": 0.5, "div": 2.5, "sqrt": 3, "exp": 4, "log": 4, "pow": 32,
    "atan2": 16, "sin": 16, "cos": 16, "tan": 16, "asin": 16, "acos": 16, "atan": 16, "sinh": 16,
    "cosh": 16, "tanh": 16, "asinh": 16, "acosh": 16, "atanh": 16, "erf": 16,
}


def primitives(expr: Expr) -> list[str]:
    """The primitives that are computed for one element. A subtree that occurs twice counts once."""
    seen: set[Expr] = set()
    stack = [expr]
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            stack.extend(e.args)
    return [e.op for e in seen if e.op in PRIMS]


def _infer(node: Node, shapes: Shapes) -> tuple[Shape]:
    used = input_indices(Pointwise.of(node).expr)
    need(bool(shapes) and max(used, default=0) < len(shapes), "the expression reads absent inputs")
    return (tuple(np.broadcast_shapes(*shapes)),)


def _reference(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    out = evaluate(Pointwise.of(node).expr, doubles(arrays))
    return (np.broadcast_to(out, np.broadcast_shapes(*(a.shape for a in arrays))),)


def _flops(node: Node, shapes: Shapes) -> int:
    return len(primitives(Pointwise.of(node).expr)) * math.prod(_infer(node, shapes)[0])


def _ulps(node: Node, shapes: Shapes) -> float:
    return float(sum(ULPS.get(p, 0) for p in primitives(Pointwise.of(node).expr)))


OPS = (
    Op(attrs=Pointwise, outputs=("out",),
       infer=_infer, reference=_reference, flops=_flops, ulps=_ulps,
       own=None, weights_rank=None, picks=never, follows=unchanged, samples=broadcast,
       moves=None, alias=None, reads_by_data=(), kernel="pointwise", targets=EVERY_TARGET),
)
