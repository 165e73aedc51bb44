"""Scalar expressions as WGSL functions, and the helper functions that PRIMS' WGSL text calls.

WGSL's own transcendentals may be off by thousands of ULP, or overflow inside. The helpers reduce
the argument to an interval and evaluate a polynomial there, which is off by a few ULP. The
polynomials are our own fits: weighted minimax in float64. Each helper's comment names its interval.

WGSL does not say what NaN and infinity do in arithmetic (section 15.7.2). Only `isnan_`, `isinf_`
and constants that are NaN or infinite are exact, because they look at bits.
"""

import re

import numpy as np

from ...graph.expr import PRIMS, Expr, const

HELPERS: dict[str, str] = {
    # A literal that overflows is a shader error, so the bits pass through a variable.
    "bits_": "fn bits_(bits: u32) -> f32 { var b = bits; return bitcast<f32>(b); }",
    "isnan_": "fn isnan_(x: f32) -> f32 { "
    "return f32((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u); }",
    "isinf_": "fn isinf_(x: f32) -> f32 { "
    "return f32((bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u); }",
    # Products are exact where the power is a whole number that f32 holds.
    "pow_": """
fn pow_(x: f32, y: f32) -> f32 {
  if (y == 2.0) { return x * x; }
  if (y == 0.0) { return 1.0; }
  if (y == floor(y) && abs(y) <= 24.0 && x != 0.0) {
    var result = 1.0;
    var base = x;
    for (var bits = u32(abs(y)); bits != 0u; bits >>= 1u) {
      if ((bits & 1u) == 1u) { result *= base; }
      base *= base;
    }
    return select(result, 1.0 / result, y < 0.0);
  }
  let size = pow(abs(x), y);
  if (x > 0.0) { return size; }
  if (x == 0.0) { return select(0.0, bits_(0x7f800000u), y < 0.0); }
  if (y != floor(y)) { return bits_(0x7fc00000u); }
  return select(size, -size, fract(0.5 * y) != 0.0);
}""",
    # WGSL does not define log at 0 and below.
    "log_": "fn log_(x: f32) -> f32 { if (x > 0.0) { return log(x); } "
    "return bits_(select(0x7fc00000u, 0xff800000u, x == 0.0)); }",
    # |x| < 0.625: odd polynomial; above, 1 - 2 / (e^2x + 1) with e^2x kept finite.
    "tanh_": """
fn tanh_(x: f32) -> f32 {
  let a = min(abs(x), 10.0);
  let s = a * a;
  let p = (((-0.00571704 * s + 0.020650584) * s - 0.053743497) * s + 0.13331491) * s - 0.33333284;
  return sign(x) * select(1.0 - 2.0 / (exp(2.0 * a) + 1.0), a + a * s * p, a < 0.625);
}""",
    # |x| < 1: odd polynomial; above, 1 - exp(-q(|x|)), which is 1 in f32 from 4 on.
    "erf_": """
fn erf_(x: f32) -> f32 {
  let a = min(abs(x), 4.0);
  let s = a * a;
  let p = (((((7.85384e-05 * s - 0.0008010188) * s + 0.0051883273) * s - 0.026853811) * s
    + 0.112835854) * s - 0.37612626) * s + 1.1283791;
  let q = (((((-0.00018558027 * a + 0.0029396676) * a - 0.021805555) * a + 0.10303786) * a
    + 0.63822514) * a + 1.1270404) * a + 0.00035363957;
  return sign(x) * select(1.0 - exp(-q), a * p, a < 1.0);
}""",
    # x = k pi/2 + r, |r| <= pi/4; pi/2 in three parts (Cody and Waite) keeps r exact to |x| ~ 1e4.
    "quarter_": """
fn quarter_(x: f32, turn: f32) -> f32 {
  let k = round(x * 0.63661977);
  let r = ((x - k * 1.5703125) - k * 0.00048375130) - k * 7.5497900e-08;
  let s = r * r;
  let sine = r + r * s * ((-0.00019510838 * s + 0.008332131) * s - 0.16666654);
  let cosine = 1.0 - 0.5 * s
    + s * s * ((2.44312e-05 * s - 0.0013887306) * s + 0.041666646);
  let quadrant = (k + turn) - 4.0 * floor(0.25 * (k + turn));
  let size = select(sine, cosine, quadrant == 1.0 || quadrant == 3.0);
  return select(size, -size, quadrant >= 2.0);
}""",
    "sin_": "fn sin_(x: f32) -> f32 { return quarter_(x, 0.0); }",
    "cos_": "fn cos_(x: f32) -> f32 { return quarter_(x, 1.0); }",
    "tan_": "fn tan_(x: f32) -> f32 { return quarter_(x, 0.0) / quarter_(x, 1.0); }",
    # The polynomial holds on |t| <= tan(pi/8).
    "atan_": """
fn atan_(x: f32) -> f32 {
  let a = abs(x);
  let far = a > 2.4142136;
  let mid = !far && a > 0.41421357;
  let t = select(select(a, (a - 1.0) / (a + 1.0), mid), -1.0 / max(a, 1.0), far);
  let base = select(select(0.0, 0.78539816, mid), 1.5707964, far);
  let s = t * t;
  let p = (((-0.060834493 * s + 0.105960004) * s - 0.14243849) * s + 0.1999849) * s - 0.33333316;
  return sign(x) * (base + (t + t * s * p));
}""",
    "asin_": "fn asin_(x: f32) -> f32 { "
    "return 2.0 * atan_(x / (1.0 + sqrt((1.0 - x) * (1.0 + x)))); }",
    "acos_": """
fn acos_(x: f32) -> f32 {
  let a = abs(x);
  let angle = 2.0 * atan_(sqrt((1.0 - a) / (1.0 + a)));
  return select(angle, 3.1415927 - angle, x < 0.0);
}""",
    # e^|x| / 2 as e^(|x| - ln 2), so that it overflows no sooner than the result.
    "sinh_": """
fn sinh_(x: f32) -> f32 {
  let a = abs(x);
  let s = a * a;
  let half = exp(a - 0.6931472);
  let p = (0.00020377406 * s + 0.008330211) * s + 0.16666718;
  return sign(x) * select(half - 0.25 / half, a + a * s * p, a < 1.0);
}""",
    "cosh_": "fn cosh_(x: f32) -> f32 { "
    "let half = exp(abs(x) - 0.6931472); return half + 0.25 / half; }",
    # log(1 + u) for u > -1: 2 atanh(u / (2 + u)) near 0.
    "log1p_": """
fn log1p_(u: f32) -> f32 {
  let t = u / (2.0 + u);
  let s = t * t;
  let p = (((0.12536891 * s + 0.10614506) * s + 0.14317147) * s + 0.19999142) * s + 0.3333334;
  return select(log_(1.0 + u), 2.0 * (t + t * s * p), abs(t) < 0.35);
}""",
    "asinh_": """
fn asinh_(x: f32) -> f32 {
  let a = abs(x);
  let s = min(a, 1e9) * min(a, 1e9);
  return sign(x) * select(log1p_(a + s / (1.0 + sqrt(1.0 + s))), log(a) + 0.6931472, a > 1e9);
}""",
    "acosh_": """
fn acosh_(x: f32) -> f32 {
  let t = min(x, 1e9) - 1.0;
  if (!(x >= 1.0)) { return bits_(0x7fc00000u); }
  return select(log1p_(t + sqrt(t * (t + 2.0))), log(x) + 0.6931472, x > 1e9);
}""",
    "atanh_": "fn atanh_(x: f32) -> f32 { "
    "let a = abs(x); return sign(x) * 0.5 * log1p_(2.0 * a / (1.0 - a)); }",
}

_CALL = re.compile(r"\b(\w+_)\(")


def number(value: float) -> str:
    """`value` as a WGSL expression of type f32; infinities and NaN as bits."""
    single = np.float32(value)
    if not np.isfinite(single):
        return bits(value)
    # The shortest decimal of the largest f32, 3.4028235e+38, lies beyond it: a shader error.
    text = str(single).replace("3.4028235e+38", "3.4028234e+38")
    return f"({text}f)" if text.startswith("-") else f"{text}f"


def bits(value: float) -> str:
    """`value` as a WGSL expression that gives its bits; right for every value."""
    return f"bits_(0x{np.float32(value).view(np.uint32):08x}u)"


def function(name: str, expr: Expr, arity: int) -> str:
    """The WGSL function `fn name(x0: f32, ...) -> f32`. Equal subexpressions are computed once.

    Subexpressions of constants are folded here, in f32, because WGSL rejects a shader whose
    constant arithmetic overflows.
    """
    lines: list[str] = []
    seen: dict[int, str] = {}
    named: dict[str, str] = {}

    def walk(e: Expr) -> str:
        if id(e) not in seen:
            seen[id(e)] = spell(e)
        return seen[id(e)]

    def spell(e: Expr) -> str:
        if e.op == "input":
            return f"x{int(e.value)}"
        if e.op == "const":
            return number(e.value)
        text = PRIMS[e.op].wgsl.format(*map(walk, e.args))
        if text not in named:
            named[text] = f"t{len(named)}"
            lines.append(f"  let {named[text]} = {text};\n")
        return named[text]

    result = walk(_folded(expr))
    args = ", ".join(f"x{i}: f32" for i in range(arity))
    return f"fn {name}({args}) -> f32 {{\n{''.join(lines)}  return {result};\n}}"


def _folded(expr: Expr) -> Expr:
    """`expr` with every constant subtree replaced by its value."""
    memo: dict[int, Expr] = {}

    def walk(e: Expr) -> Expr:
        if id(e) not in memo:
            args = tuple(map(walk, e.args))
            if args and all(a.op == "const" for a in args):
                memo[id(e)] = const(PRIMS[e.op].ref(*(np.float32(a.value) for a in args)))
            else:
                memo[id(e)] = Expr(e.op, args, e.value)
        return memo[id(e)]

    with np.errstate(all="ignore"):
        return walk(expr)


def with_helpers(text: str) -> str:
    """The shader `text`, followed by all helpers that it calls, directly or through a helper."""
    used: dict[str, str] = {}
    queue = [text]
    while queue:
        for name in _CALL.findall(queue.pop()):
            if name in HELPERS and name not in used:
                used[name] = HELPERS[name].strip()
                queue.append(used[name])
    return "\n".join([text, *(used[name] for name in HELPERS if name in used)])
