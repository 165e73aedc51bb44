"""Scalar expressions as SIMD instructions on four f32 lanes.

Minima and maxima of a value and a constant are `pmin` and `pmax`, which are one instruction on x86.
A NaN in their first operand stays; a NaN in the second gives the first operand. So the constant
stands second, and clamps keep NaN. Two computed values take `min` and `max`, which keep both's NaN.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ...graph.expr import PRIMS, Expr, inp
from .asm import V128, Function
from .emitter import Emitter
from .math import DEFINITIONS

Push = Callable[[], None]  # pushes one operand
Rule = Callable[[Function, Emitter, Sequence[Push]], None]

# A fused multiply-add differs from the reference in the last bit. These primitives turn the last
# bit into a difference of 1, so an expression that contains one of them is not fused.
STEPS = frozenset(("round", "floor", "ceil", "trunc", "eq", "lt", "le"))

INLINE = frozenset(("exp", "tanh", "erf"))  # the transcendentals of common activations


def render(expr: Expr, f: Function, inputs: Sequence[int], emitter: Emitter,
           constants: Mapping[float, int] = {}, inline: bool = False, exact: bool = False) -> None:
    """Pushes the value of `expr` in four lanes. Equal subexpressions are computed once.

    `inputs[i]` is the v128 local of input i; `constants` maps a number to the v128 local that holds
    it. `inline` writes out the functions in INLINE instead of calling them, which pays in a loop
    over a whole tensor. `exact`: a rounding to whole numbers follows, so nothing is fused.
    """
    nodes = _number(_prepared(expr, inline))
    steps = exact or any(op in STEPS for op, _, _ in _number(expr))
    fuse = emitter.relaxed and not steps
    _render(nodes, f, inputs, emitter, fuse, constants)


def hold_constants(expr: Expr, f: Function) -> dict[float, int]:
    """Number -> the local that holds it, as `render(inline=True)` takes them. V8 would otherwise
    rebuild a constant, lane by lane, at each use. 0 costs nothing to make and is left out."""
    held = {}
    for op, value, _ in _number(_prepared(expr, inline=True)):
        if op == "const" and value and value == value:
            held[value] = f.local(V128)
            f.f32x4(value).set(held[value])
    return held


def operations(expr: Expr) -> int:
    """How many operations `expr` takes, with the functions in INLINE written out."""
    return sum(bool(args) for _, _, args in _number(_prepared(expr, inline=True)))


def _render(nodes: Sequence[tuple], f: Function, inputs: Sequence[int], emitter: Emitter,
            fuse: bool, constants: Mapping[float, int] = {}) -> None:
    uses = [0] * len(nodes)
    for _, _, args in nodes:
        for a in args:
            uses[a] += 1
    kept: dict[int, int] = {}

    def push(i: int) -> None:
        op, value, args = nodes[i]
        if op == "input":
            f.get(inputs[int(value)])
        elif op == "const" and value in constants:
            f.get(constants[value])
        elif op == "const":
            f.f32x4(value)
        elif i in kept:
            f.get(kept[i])
        else:
            fused = _fused(nodes, i, uses) if fuse else None
            operands = [partial(push, a) for a in (fused[1] if fused else args)]
            RULES[fused[0] if fused else op](f, emitter, operands)
            if uses[i] > 1:
                kept[i] = f.local(V128)
                f.tee(kept[i])

    push(len(nodes) - 1)


def _number(expr: Expr) -> list[tuple[str, float, tuple[int, ...]]]:
    """(op, value, operand numbers) of each distinct subexpression, operands first."""
    nodes: list[tuple[str, float, tuple[int, ...]]] = []
    by_key: dict[tuple, int] = {}
    by_id: dict[int, int] = {}

    def visit(e: Expr) -> int:
        if id(e) not in by_id:
            args = tuple(map(visit, e.args))
            key = (e.op, repr(e.value), args)  # repr tells -0.0 from 0.0 and equates NaNs
            if key not in by_key:
                by_key[key] = len(nodes)
                nodes.append((e.op, e.value, args))
            by_id[id(e)] = by_key[key]
        return by_id[id(e)]

    visit(expr)
    return nodes


def _fused(nodes: Sequence[tuple], i: int, uses: Sequence[int]) -> tuple[str, tuple] | None:
    """("madd" or "nmadd", operands) if node i adds or subtracts a product that nothing else uses;
    None otherwise."""
    op, _, args = nodes[i]
    candidates = {"add": (0, 1), "sub": (1,)}.get(op, ())
    for k in candidates:
        inner, _, factors = nodes[args[k]]
        if inner == "mul" and uses[args[k]] == 1:
            name = "madd" if op == "add" else "nmadd"
            return name, (*factors, args[1 - k])
    return None


def _prepared(expr: Expr, inline: bool) -> Expr:
    """`expr` with constants as the second operands of min and max, with `nan_min` and `nan_max`
    where there is no constant, and, if `inline`, with the functions in INLINE written out."""
    memo: dict[int, Expr] = {}

    def visit(e: Expr) -> Expr:
        if id(e) not in memo:
            args = tuple(map(visit, e.args))
            bound = e.op in ("min", "max")
            if bound and args[0].op == "const":
                args = args[::-1]
            op = f"nan_{e.op}" if bound and args[1].op != "const" else e.op
            define = inline and e.op in INLINE
            memo[id(e)] = DEFINITIONS[e.op](*args) if define else Expr(op, args, e.value)
        return memo[id(e)]

    return visit(expr)


# --- rules ---------------------------------------------------------------------------------------


def _plain(*ops: str) -> Rule:
    """The operands, then these instructions."""

    def rule(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
        for push in args:
            push()
        f.op(*ops)

    return rule


def _truth(compare: str) -> Rule:
    """A comparison, as 1.0 or 0.0."""

    def rule(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
        args[0]()
        args[1]()
        f.op(compare).f32x4(1.0).op("v128.and")

    return rule


def _integers(op: str) -> Rule:
    """A bitwise operation on the operands, converted to i32 and back."""

    def rule(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
        for push in args:
            push()
            f.op("i32x4.trunc_sat_f32x4_s")
        f.op(op, "f32x4.convert_i32x4_s")

    return rule


def _isnan(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
    x = f.local(V128)
    args[0]()
    f.tee(x).get(x).op("f32x4.ne").f32x4(1.0).op("v128.and")


def _isinf(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
    args[0]()
    f.op("f32x4.abs").f32x4(float("inf")).op("f32x4.eq").f32x4(1.0).op("v128.and")


def _select(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
    condition, yes, no = args
    yes()
    no()
    condition()
    f.f32x4(0.0).op("f32x4.ne", "v128.bitselect")


def _pow2(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
    args[0]()
    f.op("i32x4.trunc_sat_f32x4_s").i32x4(127).op("i32x4.add").i32(23).op("i32x4.shl")


def _exponent(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
    args[0]()
    f.i32(23).op("i32x4.shr_u").i32x4(255).op("v128.and").i32x4(126).op("i32x4.sub")
    f.op("f32x4.convert_i32x4_s")


def _mantissa(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
    args[0]()
    f.i32x4(0x007FFFFF).op("v128.and").i32x4(0x3F000000).op("v128.or")


def _copysign(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
    args[0]()
    args[1]()
    f.i32x4(0x7FFFFFFF).op("v128.bitselect")


def _function(name: str) -> Rule:
    """A call of the vector function that computes the transcendental primitive `name`."""

    def rule(f: Function, emitter: Emitter, args: Sequence[Push]) -> None:
        function = emitter.kernel(("math", name), partial(_build, name, emitter))
        for push in args:
            push()
        f.call(function)

    return rule


def _build(name: str, emitter: Emitter) -> Function:
    params = range(PRIMS[name].arity)
    f = Function(name, [V128] * len(params), V128)
    _render(_number(DEFINITIONS[name](*map(inp, params))), f, params, emitter, emitter.relaxed)
    return f


RULES: dict[str, Rule] = {
    "add": _plain("f32x4.add"),
    "sub": _plain("f32x4.sub"),
    "mul": _plain("f32x4.mul"),
    "div": _plain("f32x4.div"),
    "min": _plain("f32x4.pmin"),
    "max": _plain("f32x4.pmax"),
    "nan_min": _plain("f32x4.min"),
    "nan_max": _plain("f32x4.max"),
    "neg": _plain("f32x4.neg"),
    "abs": _plain("f32x4.abs"),
    "sqrt": _plain("f32x4.sqrt"),
    "floor": _plain("f32x4.floor"),
    "ceil": _plain("f32x4.ceil"),
    "trunc": _plain("f32x4.trunc"),
    "round": _plain("f32x4.nearest"),
    "eq": _truth("f32x4.eq"),
    "lt": _truth("f32x4.lt"),
    "le": _truth("f32x4.le"),
    "isnan": _isnan,
    "isinf": _isinf,
    "select": _select,
    "band": _integers("v128.and"),
    "bor": _integers("v128.or"),
    "bxor": _integers("v128.xor"),
    "bnot": _integers("v128.not"),
    **{name: _function(name) for name in DEFINITIONS},
    "madd": _plain("f32x4.relaxed_madd"),
    "nmadd": _plain("f32x4.relaxed_nmadd"),
    "pow2": _pow2,
    "exponent": _exponent,
    "mantissa": _mantissa,
    "copysign": _copysign,
}
