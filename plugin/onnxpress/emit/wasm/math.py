"""Transcendental primitives for WebAssembly, as expressions over arithmetic: DEFINITIONS.

A definition takes the operands' expressions and returns the result's expression. `expr.py` turns
it into one vector function of each module that needs it. Definitions use `graph.expr.PRIMS` and, on
the bits of an f32, the operations in BITS.

Source of exp, log, sin, cos, tan, asin, acos, atan, sinh, asinh, acosh and atanh (polynomials and
range reductions): S. Moshier, Cephes Mathematical Library 2.2, single precision
(netlib.org/cephes). Source of tanh and erf (rational minimax approximations): Eigen's
MathFunctionsImpl. Source of double-length products: T. J. Dekker, "A floating-point technique for
extending the available precision", 1971; of double-length sums: D. E. Knuth, TAOCP 2, 4.2.2.
tests/wasm/test_expr.py states the measured error of each function.
"""

import math
from collections.abc import Callable, Sequence

from ...graph.expr import Expr, call, const

# pow2(n) is 2**n for integral n in [-126, 127]. A finite x is m 2**e with |m| in [0.5, 1):
# exponent(x) is e, mantissa(x) is |m|. copysign(x, s) is x with the sign bit of s.
BITS = ("pow2", "exponent", "mantissa", "copysign")

LOG2E = 1.44269504088896341
# ln 2 in two parts; the first has 10 bits, so its product with the integer n is exact.
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
INF, NAN = const(math.inf), const(math.nan)


def _polynomial(x: Expr, coefficients: Sequence[float]) -> Expr:
    """The polynomial in x by Horner's scheme; coefficients start at the highest power."""
    y = const(coefficients[0])
    for c in coefficients[1:]:
        y = y * x + const(c)
    return y


def _select(condition: Expr, yes: Expr | float, no: Expr | float) -> Expr:
    return call("select", condition, yes, no)


def _clamp(x: Expr, low: float, high: float) -> Expr:
    return call("min", call("max", x, low), high)


def _copysign(x: Expr, sign: Expr) -> Expr:
    return Expr("copysign", (x, sign))


def _round(x: Expr) -> Expr:
    return call("round", x)


# --- exponentials --------------------------------------------------------------------------------

EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
       5.0000001201e-1)


def _exp_scaled(x: Expr, scale: int = 0, low: Expr | None = None) -> Expr:
    """2**scale * exp(x + low), where |low| is far below |x|. Powers of two are applied in two
    steps, so that results overflow to infinity and underflow gradually. Outside of [-104, 90] the
    result is 0 or infinity, so x is clamped to that range."""
    x = _clamp(x, -104.0, 90.0)
    n = _round(x * LOG2E)
    r = x - n * LN2_HIGH - n * LN2_LOW
    if low is not None:
        r = r + low
    y = _polynomial(r, EXP) * (r * r) + r + 1
    total = n + scale if scale else n
    half = call("trunc", total * 0.5)
    return y * Expr("pow2", (half,)) * Expr("pow2", (total - half,))


def exp(x: Expr) -> Expr:
    return _exp_scaled(x)


def sinh(x: Expr) -> Expr:
    half = _exp_scaled(call("abs", x), scale=-1)  # exp(|x|) / 2 stays finite where sinh does
    z = x * x
    near = _polynomial(z, (2.03721912945e-4, 8.33028376239e-3, 1.66667160211e-1)) * z * x + x
    return _select(call("le", call("abs", x), 1.0), near, _copysign(half - 0.25 / half, x))


def cosh(x: Expr) -> Expr:
    half = _exp_scaled(call("abs", x), scale=-1)
    return half + 0.25 / half


def tanh(x: Expr) -> Expr:
    """Odd over even polynomial; rounds to +-1 beyond the clamp."""
    c = _clamp(x, -7.90531110763549805, 7.90531110763549805)
    z = c * c
    odd = _polynomial(z, (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11,
                          5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04,
                          4.89352455891786e-03))
    even = _polynomial(z, (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03,
                           4.89352518554385e-03))
    return _select(call("lt", call("abs", x), 0.0004), x, c * odd / even)


def erf(x: Expr) -> Expr:
    """Odd over even polynomial; rounds to +-1 beyond the clamp."""
    c = _clamp(x, -4.0, 4.0)
    z = c * c
    odd = _polynomial(z, (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06,
                          -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03,
                          -1.60960333262415e-02))
    even = _polynomial(z, (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03,
                           -7.37332916720468e-03, -1.42647390514189e-02))
    return c * odd / even


# --- logarithms ----------------------------------------------------------------------------------

LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
       -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
TINY = 1.17549435e-38  # the smallest normal f32
TO_NORMAL = float(1 << 23)  # makes every subnormal f32 a normal one


def _split(x: Expr) -> tuple[Expr, Expr]:
    """(e, m - 1) of a positive finite x = m 2**e, with m in [sqrt(1/2), sqrt(2))."""
    small = call("lt", x, TINY)
    scaled = _select(small, x * TO_NORMAL, x)
    e = Expr("exponent", (scaled,)) - small * 23
    m = Expr("mantissa", (scaled,))
    low = call("lt", m, math.sqrt(0.5))
    return e - low, m + _select(low, m, const(0.0)) - 1


def log(x: Expr) -> Expr:
    e, r = _split(x)
    z = r * r
    y = _polynomial(r, LOG) * r * z + e * LN2_LOW - z * 0.5
    y = r + y + e * LN2_HIGH
    y = _select(call("lt", x, INF), y, x)  # infinity and NaN
    return _select(call("le", x, 0.0), _select(call("eq", x, 0.0), const(-math.inf), NAN), y)


def asinh(x: Expr) -> Expr:
    a, z = call("abs", x), x * x
    near = _polynomial(z, (2.0122003309e-2, -4.2699340972e-2, 7.4847586088e-2,
                           -1.6666288134e-1)) * z * a + a
    far = call("lt", 1500.0, a)
    big = call("log", _select(far, a, a + call("sqrt", z + 1))) + far * math.log(2)
    return _copysign(_select(call("lt", a, 0.5), near, big), x)


def acosh(x: Expr) -> Expr:
    z = x - 1
    near = _polynomial(z, (1.7596881071e-3, -7.5272886713e-3, 2.6454905019e-2, -1.1784741703e-1,
                           1.4142135263)) * call("sqrt", z)
    far = call("lt", 1500.0, x)
    big = call("log", _select(far, x, x + call("sqrt", z * (x + 1)))) + far * math.log(2)
    return _select(call("lt", z, 0.5), near, big)


def atanh(x: Expr) -> Expr:
    z = x * x
    near = _polynomial(z, (1.81740078349e-1, 8.24370301058e-2, 1.46691431730e-1, 1.99782164500e-1,
                           3.33337300303e-1)) * z * x + x
    return _select(call("lt", call("abs", x), 0.5), near, call("log", (x + 1) / (1 - x)) * 0.5)


# --- circular functions --------------------------------------------------------------------------

# pi / 2 in three parts, the first two short enough that their products with n are exact.
QUARTER = (1.5703125, 4.837512969970703125e-4, 7.549789948768648e-8)


def _quadrant(x: Expr) -> tuple[Expr, Expr]:
    """(n, r) with r = x - n pi/2 and |r| <= pi/4. r is accurate for |x| <= 10000, and only bounded
    for larger |x|."""
    n = _round(x * (2 / math.pi))
    r = x - n * QUARTER[0] - n * QUARTER[1] - n * QUARTER[2]
    return n, _clamp(r, -0.8, 0.8)


def _odd(n: Expr) -> Expr:
    """1 where integral n is odd, else 0."""
    return call("abs", n - _round(n * 0.5) * 2)


def _sin_at(x: Expr, shift: int) -> Expr:
    """sin(x + shift pi/2)."""
    n, r = _quadrant(x)
    n = n + shift if shift else n
    z = r * r
    sin = _polynomial(z, (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)) * z * r + r
    cos = _polynomial(z, (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2))
    odd = _odd(n)
    y = _select(odd, cos * z * z - z * 0.5 + 1, sin)
    return _select(_odd((n - odd) * 0.5), -y, y)


def sin(x: Expr) -> Expr:
    return _sin_at(x, 0)


def cos(x: Expr) -> Expr:
    return _sin_at(x, 1)


def tan(x: Expr) -> Expr:
    n, r = _quadrant(x)
    z = r * r
    y = _polynomial(z, (9.38540185543e-3, 3.11992232697e-3, 2.44301354525e-2, 5.34112807005e-2,
                        1.33387994085e-1, 3.33331568548e-1)) * z * r + r
    return _select(_odd(n), -1.0 / y, y)


ASIN = (4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1)


def _asin_folded(x: Expr) -> tuple[Expr, Expr, Expr]:
    """(|x|, outer = |x| > 1/2, y): y is asin(|x|), or asin(sqrt((1 - |x|) / 2)) if outer."""
    a = call("abs", x)
    outer = call("lt", 0.5, a)
    z = _select(outer, (1 - a) * 0.5, a * a)
    s = _select(outer, call("sqrt", z), a)
    return a, outer, _polynomial(z, ASIN) * z * s + s


def asin(x: Expr) -> Expr:
    _, outer, y = _asin_folded(x)
    return _copysign(_select(outer, math.pi / 2 - y * 2, y), x)


def acos(x: Expr) -> Expr:
    _, outer, y = _asin_folded(x)
    negative = call("lt", x, 0.0)
    far = _select(negative, math.pi - y * 2, y * 2)
    return _select(outer, far, math.pi / 2 - _copysign(y, x))


def atan(x: Expr) -> Expr:
    a = call("abs", x)
    high, middle = call("lt", math.sqrt(2) + 1, a), call("lt", math.sqrt(2) - 1, a)
    r = _select(high, -1.0 / a, _select(middle, (a - 1) / (a + 1), a))
    base = _select(high, const(math.pi / 2), middle * (math.pi / 4))
    z = r * r
    y = _polynomial(z, (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1,
                        -3.33329491539e-1)) * z * r + r
    return _copysign(base + y, x)


def atan2(y: Expr, x: Expr) -> Expr:
    """The angle of the point (x, y), with IEEE 754's rules for signed zeros and infinities."""
    a, b = call("abs", y), call("abs", x)
    ratio = _select(call("eq", a, b), const(1.0), a / b)  # two infinities count as equal
    angle = _select(call("eq", a, 0.0), const(0.0), call("atan", ratio))
    left = call("lt", _copysign(const(1.0), x), 0.0)
    angle = _select(left, math.pi - angle, angle)
    return _copysign(_select(call("isnan", x + y) * call("lt", call("isinf", x)
                     + call("isinf", y), 1.0), NAN, angle), y)


# --- pow -----------------------------------------------------------------------------------------


def _two_sum(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """(a + b rounded, its rounding error)"""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _two_product(a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """(a * b rounded, its rounding error)"""

    def halves(x: Expr) -> tuple[Expr, Expr]:
        c = x * 4097.0
        high = c - (c - x)
        return high, x - high

    p = a * b
    (ah, al), (bh, bl) = halves(a), halves(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def _log_double(x: Expr) -> tuple[Expr, Expr]:
    """log of a positive finite x as an unevaluated sum (high, low)."""
    e, r = _split(x)
    square, square_low = _two_product(r, r)
    high, low = _two_sum(e * LN2_HIGH, r)
    high, more = _two_sum(high, square * -0.5)
    rest = _polynomial(r, LOG) * r * square + e * LN2_LOW - square_low * 0.5
    return _two_sum(high, low + more + rest)


def pow(x: Expr, y: Expr) -> Expr:
    """exp(y log |x|) in double length, then IEEE 754's rules for signs, zeros and infinities."""
    a, b = call("abs", x), _clamp(y, -4e9, 4e9)  # beyond, every |x| != 1 has left f32's range
    high, low = _log_double(a)
    product, error = _two_product(high, b)
    size = _exp_scaled(product, low=_clamp(error + low * b, -1.0, 1.0))
    grows = call("eq", call("lt", 1.0, a), call("lt", 0.0, y))
    extreme = call("max", call("max", call("eq", a, 0.0), call("isinf", x)),
                   call("isinf", y) * (1 - call("eq", a, 1.0)))
    size = _select(extreme, _select(grows, INF, const(0.0)), size)
    whole = call("eq", call("floor", y), y)
    odd = whole * (1 - call("eq", call("floor", y * 0.5), y * 0.5))
    signed = _select(odd, _copysign(size, x), size)
    signed = _select(call("lt", x, 0.0) * (1 - whole) * (1 - extreme), NAN, signed)
    signed = _select(call("max", call("isnan", x), call("isnan", y)), NAN, signed)
    return _select(call("max", call("eq", y, 0.0), call("eq", x, 1.0)), const(1.0), signed)


DEFINITIONS: dict[str, Callable[..., Expr]] = {
    f.__name__: f
    for f in (exp, log, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, asinh, acosh,
              atanh, erf, pow)
}
