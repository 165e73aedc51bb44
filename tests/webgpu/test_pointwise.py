"""Expressions on WebGPU: broadcasting, every primitive, values that are no numbers."""

import re
from itertools import product

import numpy as np
import pytest
from onnxpress.emit.wgsl.expr import HELPERS
from onnxpress.graph.expr import PRIMS, call, inp
from onnxpress.ops.interpret import interpret
from onnxpress.run.browser import Browser
from support.graphs import Draw
from support.webgpu_jobs import EPSILON, check, run_graph


@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 3, 4)], [(5,), ()], [(2, 3, 8), (8,)], [(2, 1, 8), (1, 3, 1)], [(3, 5), (3, 1)],
        [(1, 4, 4, 6), (1, 1, 1, 6), (1, 4, 1, 1)], [(7, 1), (1, 12)],
    ],
)
def test_pointwise_broadcasts(browser: Browser, shapes: list[tuple[int, ...]]) -> None:
    draw = Draw()
    names = [draw.input(f"x{i}", *s) for i, s in enumerate(shapes)]
    expr = inp(0)
    for i in range(1, len(shapes)):
        expr = expr * inp(i) + 0.5
    draw.node("pointwise", "y", *names, expr=expr)
    check(browser, draw, "y")


# Primitive -> the interval of its first argument; the second runs over -3..3.
UNARY = {
    "tanh": (-12, 12), "erf": (-6, 6), "sin": (-50, 50), "cos": (-50, 50), "tan": (-1.4, 1.4),
    "asin": (-1, 1), "acos": (-1, 1), "atan": (-30, 30), "sinh": (-6, 6), "cosh": (-6, 6),
    "asinh": (-50, 50), "acosh": (1, 50), "atanh": (-0.999, 0.999), "exp": (-20, 6),
    "log": (0.01, 50), "sqrt": (0, 50), "floor": (-5, 5), "ceil": (-5, 5), "trunc": (-5, 5),
    "round": (-5, 5), "neg": (-5, 5), "abs": (-5, 5),
}


def test_every_helper_that_primitives_call_is_written() -> None:
    called = {name for prim in PRIMS.values() for name in re.findall(r"\b(\w+_)\(", prim.wgsl)}
    assert called <= set(HELPERS)


@pytest.mark.parametrize("prim", UNARY)
def test_primitives(browser: Browser, prim: str) -> None:
    draw = Draw()
    draw.node("pointwise", "y", draw.input("x", 4001), expr=call(prim, inp(0)))
    low, high = UNARY[prim]
    x = np.float32(np.linspace(low, high, 4001))
    graph = draw.graph("y")
    got = np.frombuffer(run_graph(browser, graph, {"x": x}).body, "<f4")
    want = interpret(graph, {"x": x})["y"]
    # 8 ULP of the value, and of one where the result cancels; log is 2**-21 near one (WGSL 15.7.4).
    atol = 2.0**-21 if prim in ("log", "acosh", "asinh", "atanh") else 8 * EPSILON
    rtol = 50 * EPSILON if prim in ("exp", "sinh", "cosh", "tan") else 8 * EPSILON
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


def test_powers_of_any_sign(browser: Browser) -> None:
    x, y = map(np.float32, zip(*product((-2.5, -1, 0, 0.5, 3), (-3, -2, 0, 1, 2, 3, 0.5)),
                               strict=True))
    draw = Draw()
    draw.node("pointwise", "z", draw.input("x", x.size), draw.input("y", x.size),
              expr=call("pow", inp(0), inp(1)))
    got = np.frombuffer(run_graph(browser, draw.graph("z"), {"x": x, "y": y}).body, "<f4")
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(got, np.power(x, y), rtol=1e-5)


def test_constants_that_are_no_numbers(browser: Browser) -> None:
    draw = Draw()
    masked = call("select", call("lt", inp(0), 0.0), float("-inf"), inp(0))
    draw.node("pointwise", "m", draw.input("x", 8), expr=masked)
    draw.node("pointwise", "y", "m", expr=call("isinf", inp(0)) + call("exp", call("exp", 1e9)))
    x = np.float32([-1, 2, -3, 4, -5, 6, -7, 8])
    got = np.frombuffer(run_graph(browser, draw.graph("m", "y"), {"x": x}).body, "<f4")
    np.testing.assert_array_equal(got[:8], np.where(x < 0, -np.inf, x))
    assert np.isinf(got[8:]).all()
