"""Scalar expressions: the computation of a pointwise operator for one element, for every target.

An expression is a tree of primitives over inputs and constants. To fuse two operators is to
substitute one tree into the other. PRIMS is the only list of primitives. It spells them in numpy,
JavaScript and WGSL; `emit/wasm/expr.py` spells them as SIMD instructions.

Every value is an f32. Booleans are 0 and 1; integers are exact up to 2**24.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Expr:
    """`op` is "input" (then `value` is its index), "const" (`value` is the number), or a primitive
    of `args`."""

    op: str
    args: tuple["Expr", ...] = ()
    value: float = 0.0

    def __add__(self, other: "Expr | float") -> "Expr":
        return call("add", self, other)

    def __radd__(self, other: float) -> "Expr":
        return call("add", other, self)

    def __sub__(self, other: "Expr | float") -> "Expr":
        return call("sub", self, other)

    def __rsub__(self, other: float) -> "Expr":
        return call("sub", other, self)

    def __mul__(self, other: "Expr | float") -> "Expr":
        return call("mul", self, other)

    def __rmul__(self, other: float) -> "Expr":
        return call("mul", other, self)

    def __truediv__(self, other: "Expr | float") -> "Expr":
        return call("div", self, other)

    def __rtruediv__(self, other: float) -> "Expr":
        return call("div", other, self)

    def __neg__(self) -> "Expr":
        return call("neg", self)

    def __str__(self) -> str:
        if self.op == "input":
            return f"${int(self.value)}"
        if self.op == "const":
            return repr(self.value)
        return f"{self.op}({', '.join(map(str, self.args))})"


def const(number: float) -> Expr:
    """A constant: the nearest f32 to `number`, so that all targets start from the same bits."""
    return Expr("const", (), float(np.float32(number)))


def inp(index: int) -> Expr:
    """Input `index`."""
    return Expr("input", (), index)


def call(op: str, *args: "Expr | float") -> Expr:
    """The primitive `op` applied to `args`; plain numbers become constants."""
    prim = PRIMS[op]
    if len(args) != prim.arity:
        raise ValueError(f"{op} takes {prim.arity} arguments, got {len(args)}")
    return Expr(op, tuple(a if isinstance(a, Expr) else const(a) for a in args))


@dataclass(frozen=True, slots=True)
class Prim:
    """One scalar primitive. `ref` computes it on numpy arrays of any float type. `js` and `wgsl`
    are its text; {0} in it is the first argument."""

    name: str
    arity: int
    ref: Callable[..., Any]
    js: str
    wgsl: str


def _bits(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` on the arguments as i32, converted back to their float type."""
    return lambda *a: fn(*(np.asarray(x).astype(np.int32) for x in a)).astype(
        np.asarray(a[0]).dtype)


def _truth(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn`, whose booleans become 0 and 1 of the arguments' float type."""
    return lambda a, *b: fn(a, *b).astype(np.asarray(a).dtype)


_erf = np.vectorize(math.erf, otypes=[np.float64])

# JavaScript computes in f64. Where a result jumps, its operands are rounded to f32 first, as the
# other targets and onnxruntime have them: 0.35 / 0.1 is 3.5 in f32, but 3.4999999 in f64.
# Names that end in `_` are helper functions: emit/js/helpers.js and emit/wgsl/expr.py hold them.
PRIMS: dict[str, Prim] = {
    p.name: p
    for p in (
        Prim("add", 2, np.add, "({0} + {1})", "({0} + {1})"),
        Prim("sub", 2, np.subtract, "({0} - {1})", "({0} - {1})"),
        Prim("mul", 2, np.multiply, "({0} * {1})", "({0} * {1})"),
        Prim("div", 2, np.divide, "({0} / {1})", "({0} / {1})"),
        Prim("min", 2, np.minimum, "Math.min({0}, {1})", "min({0}, {1})"),
        Prim("max", 2, np.maximum, "Math.max({0}, {1})", "max({0}, {1})"),
        Prim("pow", 2, np.power, "Math.pow({0}, {1})", "pow_({0}, {1})"),
        Prim("atan2", 2, np.arctan2, "Math.atan2({0}, {1})", "atan2({0}, {1})"),
        Prim("neg", 1, np.negative, "(-{0})", "(-{0})"),
        Prim("abs", 1, np.abs, "Math.abs({0})", "abs({0})"),
        Prim("sqrt", 1, np.sqrt, "Math.sqrt({0})", "sqrt({0})"),
        Prim("floor", 1, np.floor, "Math.floor(Math.fround({0}))", "floor({0})"),
        Prim("ceil", 1, np.ceil, "Math.ceil(Math.fround({0}))", "ceil({0})"),
        Prim("trunc", 1, np.trunc, "Math.trunc(Math.fround({0}))", "trunc({0})"),
        Prim("round", 1, np.rint, "round_(Math.fround({0}))", "round({0})"),  # halves go to even
        Prim("exp", 1, np.exp, "Math.exp({0})", "exp({0})"),
        Prim("log", 1, np.log, "Math.log({0})", "log_({0})"),
        Prim("sin", 1, np.sin, "Math.sin({0})", "sin_({0})"),
        Prim("cos", 1, np.cos, "Math.cos({0})", "cos_({0})"),
        Prim("tan", 1, np.tan, "Math.tan({0})", "tan_({0})"),
        Prim("asin", 1, np.arcsin, "Math.asin({0})", "asin_({0})"),
        Prim("acos", 1, np.arccos, "Math.acos({0})", "acos_({0})"),
        Prim("atan", 1, np.arctan, "Math.atan({0})", "atan_({0})"),
        Prim("sinh", 1, np.sinh, "Math.sinh({0})", "sinh_({0})"),
        Prim("cosh", 1, np.cosh, "Math.cosh({0})", "cosh_({0})"),
        Prim("tanh", 1, np.tanh, "Math.tanh({0})", "tanh_({0})"),
        Prim("asinh", 1, np.arcsinh, "Math.asinh({0})", "asinh_({0})"),
        Prim("acosh", 1, np.arccosh, "Math.acosh({0})", "acosh_({0})"),
        Prim("atanh", 1, np.arctanh, "Math.atanh({0})", "atanh_({0})"),
        Prim("erf", 1, _erf, "erf_({0})", "erf_({0})"),
        Prim("eq", 2, _truth(np.equal), "+(Math.fround({0}) === Math.fround({1}))",
             "f32({0} == {1})"),
        Prim("lt", 2, _truth(np.less), "+(Math.fround({0}) < Math.fround({1}))",
             "f32({0} < {1})"),
        Prim("le", 2, _truth(np.less_equal), "+(Math.fround({0}) <= Math.fround({1}))",
             "f32({0} <= {1})"),
        Prim("isnan", 1, _truth(np.isnan), "+({0} !== {0})", "isnan_({0})"),
        Prim("isinf", 1, _truth(np.isinf), "+(Math.abs({0}) === Infinity)", "isinf_({0})"),
        Prim(
            "select", 3, lambda c, a, b: np.where(c != 0, a, b),
            "({0} !== 0 ? {1} : {2})", "select({2}, {1}, {0} != 0.0)",
        ),
        Prim("band", 2, _bits(np.bitwise_and), "({0} & {1})", "f32(i32({0}) & i32({1}))"),
        Prim("bor", 2, _bits(np.bitwise_or), "({0} | {1})", "f32(i32({0}) | i32({1}))"),
        Prim("bxor", 2, _bits(np.bitwise_xor), "({0} ^ {1})", "f32(i32({0}) ^ i32({1}))"),
        Prim("bnot", 1, _bits(np.bitwise_not), "(~{0})", "f32(~i32({0}))"),
    )
}


def evaluate(expr: Expr, inputs: Sequence[Any], memo: dict["Expr", Any] | None = None) -> Any:
    """The value of `expr` on numpy arrays that broadcast, in the arrays' own precision. `memo`, if
    given, receives the value of every subexpression."""
    with np.errstate(all="ignore"):
        return _evaluate(expr, inputs, {} if memo is None else memo)


def _evaluate(expr: Expr, inputs: Sequence[Any], memo: dict[Expr, Any]) -> Any:
    # A closure that calls itself would be a reference cycle and keep the arrays alive.
    if expr not in memo:
        if expr.op == "input":
            memo[expr] = inputs[int(expr.value)]
        elif expr.op == "const":
            dtype = np.asarray(inputs[0]).dtype if len(inputs) else np.float64
            memo[expr] = np.asarray(expr.value, dtype=dtype)
        else:
            memo[expr] = PRIMS[expr.op].ref(*(_evaluate(a, inputs, memo) for a in expr.args))
    return memo[expr]


def substitute(expr: Expr, inputs: Sequence[Expr]) -> Expr:
    """`expr` with input i replaced by `inputs[i]`; this is how operators are fused."""
    if expr.op == "input":
        return inputs[int(expr.value)]
    if not expr.args:
        return expr
    return Expr(expr.op, tuple(substitute(a, inputs) for a in expr.args), expr.value)


def input_indices(expr: Expr) -> set[int]:
    """The indices of all inputs in `expr`."""
    if expr.op == "input":
        return {int(expr.value)}
    return set().union(*(input_indices(a) for a in expr.args)) if expr.args else set()


def text(expr: Expr, target: str, names: Sequence[str], number: Callable[[float], str]) -> str:
    """The expression as source text of `target`, "js" or "wgsl". `names[i]` spells input i;
    `number` spells a constant."""
    if expr.op == "input":
        return names[int(expr.value)]
    if expr.op == "const":
        return number(expr.value)
    parts = [text(a, target, names, number) for a in expr.args]
    return getattr(PRIMS[expr.op], target).format(*parts)
