"""Expressions as SIMD: every primitive on both instruction sets, and the error of each
transcendental in ulps of its float64 value.

The bounds are the measured maxima over a million arguments a range, rounded up; the sources of
the polynomials state the same figures or less for fewer arguments.
"""

import numpy as np
import pytest
from onnxpress.emit.wasm.asm import V128, Function
from onnxpress.emit.wasm.expr import RULES, render
from onnxpress.emit.wasm.map import emit_map
from onnxpress.emit.wasm.math import BITS, DEFINITIONS
from onnxpress.emit.wasm.nest import View
from onnxpress.graph.expr import PRIMS, Expr, call, evaluate, inp
from onnxpress.programs.wasm.build import ISAS
from support.step_heap import emitter, execute

EXTREMES = np.array([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 2, -2, 0.5, -0.5, 1.5, 2.5, -2.5, 3,
                     -3, 1e-40, -1e-40, 3e38, -3e38, 103, -103.9, 88.72, 89.4, 1 + 2**-23,
                     1 - 2**-24, 100, -7], np.float32)


def compute(expr: Expr, arrays: list[np.ndarray], isa: str) -> np.ndarray:
    """The expression on f32 arrays of one length."""
    n = arrays[0].size
    heap = np.concatenate([*arrays, np.zeros(n + 16, np.float32)])
    views = [View(i * n, (1,)) for i in range(len(arrays) + 1)]
    after = execute(lambda e: emit_map(e, expr, (n,), views[-1], views[:-1]), heap, isa)
    return after[len(arrays) * n :][:n]


def reference(expr: Expr, arrays: list[np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return evaluate(expr, [a.astype(np.float64) for a in arrays])


def ulps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Distances in units of the last place of the rounded f64 value; 0 for equal specials."""
    with np.errstate(all="ignore"):
        rounded = want.astype(np.float32)
        equal = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        return np.where(equal, 0, np.abs(got - want) / np.spacing(np.abs(rounded)))


def span(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 1 << 20).astype(np.float32)


def decades(low: float, high: float) -> np.ndarray:
    """Both signs, evenly in the logarithm."""
    positive = np.geomspace(low, high, 1 << 19).astype(np.float32)
    return np.concatenate([positive, -positive])


ERRORS = {
    "exp": (1.1, [span(-103, 88.7), span(-1, 1)]),
    "log": (1, [np.abs(decades(1e-38, 3e38)), np.abs(decades(1e-44, 1e-38)), span(0.5, 2)]),
    "sin": (1.6, [span(-10, 10)]),
    "cos": (1.6, [span(-10, 10)]),
    "tan": (2.5, [span(-1.5, 1.5)]),
    "asin": (2.5, [span(-1, 1)]),
    "acos": (1.5, [span(-1, 1)]),
    "atan": (3, [span(-10, 10), decades(1e-20, 1e20)]),
    "sinh": (1.8, [span(-89, 89), span(-2, 2)]),
    "cosh": (1.6, [span(-89, 89)]),
    "tanh": (6.5, [span(-12, 12), decades(1e-20, 1)]),
    "asinh": (3.2, [decades(1e-10, 1e38)]),
    "acosh": (2.5, [span(1, 10), np.abs(decades(1, 3e38))]),
    "atanh": (1.6, [span(-0.9999, 0.9999)]),
    "erf": (7.2, [span(-6, 6), decades(1e-20, 1)]),
}


def test_every_primitive_has_a_rule():
    assert set(RULES) == {*PRIMS, *BITS, "madd", "nmadd", "nan_min", "nan_max"}
    assert set(ERRORS) | {"pow", "atan2"} == set(DEFINITIONS)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ERRORS)
def test_transcendental_error(name, isa):
    bound, ranges = ERRORS[name]
    for x in ranges:
        expr = call(name, inp(0))
        assert ulps(compute(expr, [x], isa), reference(expr, [x])).max() <= bound


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_circular_functions_far_out(name, isa):
    """Absolute error up to 10000, where a zero's relative error says nothing; then finite."""
    x, expr = span(-10000, 10000), call(name, inp(0))
    assert np.abs(compute(expr, [x], isa) - reference(expr, [x])).max() <= 1e-7
    assert np.abs(compute(expr, [decades(1e4, 3e38)], isa)).max() <= 1


@pytest.mark.parametrize("isa", ISAS)
def test_pow_and_atan2_error(isa):
    random = np.random.default_rng(0)
    base = np.exp(random.uniform(-80, 80, 1 << 20)).astype(np.float32)
    near = random.uniform(0.5, 2, 1 << 20).astype(np.float32)
    for a in (base, near):
        b = (random.uniform(-87, 88, a.size) / np.log(a.astype(np.float64))).astype(np.float32)
        expr = call("pow", inp(0), inp(1))
        assert ulps(compute(expr, [a, b], isa), reference(expr, [a, b])).max() <= 17
    y, x = random.standard_normal((2, 1 << 20)).astype(np.float32) * 10
    expr = call("atan2", inp(0), inp(1))
    assert ulps(compute(expr, [y, x], isa), reference(expr, [y, x])).max() <= 3.2


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", sorted(set(PRIMS) - {"sin", "cos", "tan", "min", "max"}))
def test_extremes(name, isa):
    """Zeros, infinities, NaN, subnormals and overflow, in all combinations."""
    count = PRIMS[name].arity
    arrays = [a.ravel() for a in np.meshgrid(*[EXTREMES] * count)]
    if name.startswith("b"):  # integers only
        arrays = [np.nan_to_num(np.clip(np.trunc(a), -(2**23), 2**23)) for a in arrays]
    expr = call(name, *map(inp, range(count)))
    want = reference(expr, arrays)
    error = ulps(compute(expr, arrays, isa), want)
    assert error[np.abs(want) > 1e-37].max(initial=0) <= 8
    assert not np.isnan(error).any()


@pytest.mark.parametrize("isa", ISAS)
def test_extrema_keep_nan(isa):
    x = EXTREMES
    for expr in (call("max", inp(0), 0.0), call("max", 0.0, inp(0)), call("min", inp(0), 6.0)):
        np.testing.assert_array_equal(compute(expr, [x], isa), reference(expr, [x]))
    for expr in (call("min", inp(0), inp(1)), call("max", inp(1), inp(0))):
        assert np.isnan(compute(expr, [x, np.full_like(x, np.nan)], isa)).all()


@pytest.mark.parametrize("isa", ISAS)
def test_rounding_sees_unfused_products(isa):
    random = np.random.default_rng(0)
    x = random.standard_normal(1 << 16).astype(np.float32)
    expr = call("round", inp(0) * 8.1 + 0.5)
    exact = evaluate(expr, [x])  # in f32, each operation rounded
    np.testing.assert_array_equal(compute(expr, [x], isa), exact)


def test_equal_subexpressions_are_computed_once():
    f = Function("f", [V128], V128)
    shared = call("sqrt", inp(0) + 1)
    render(shared * shared + shared, f, [0], emitter("simd128"))
    assert bytes(f.body).count(Function("root").op("f32x4.sqrt").body) == 1
