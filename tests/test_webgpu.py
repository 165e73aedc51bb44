"""The WebGPU target in Chromium (SwiftShader): every kernel against float64, on shapes equal to,
below, above and odd against its tiles; and what the backend does when the GPU fails it."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from browser import Answer, Browser, find_chromium
from graphs import Draw, sample_inputs
from onnxpress.emit.program import Program
from onnxpress.emit.webgpu import build
from onnxpress.expr import call, inp
from onnxpress.graph import Graph
from onnxpress.interpret import interpret
from onnxpress.ops import OPS, bound
from onnxpress.runtime_files import RUNTIME

pytestmark = pytest.mark.skipif(not find_chromium(), reason="no Chromium on this machine")
EPSILON = float(np.finfo(np.float32).eps)

# The body is the program's bytes, then every weight, then every input, all little-endian f32.
OPEN = """
import { open, probe } from "/runtime/backends/webgpu.js";
function unpack({ about, size, lengths }, body) {
  const data = new Float32Array(body, size);
  let at = 0;
  const take = (length) => data.subarray(at, at += length);
  const tensors = Object.entries(lengths).map(([name, n]) => ({ name, data: take(n) }));
  async function* weights() { yield* tensors; }
  const inputs = about.inputs.map(({ length }) => take(length));
  const model = () => open(about, async () => body.slice(0, size), weights());
  return { model, inputs };
}
"""

RUN = OPEN + """
export const run = async (args, body) => {
  const { model, inputs } = unpack(args, body);
  const opened = await model();
  const outputs = await opened.run(inputs);
  const again = await opened.run(inputs);
  opened.dispose();
  const same = outputs.every((out, i) => out.every((v, j) => Object.is(v, again[i][j])));
  return { value: { same }, body: outputs };
};
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser({"/runtime/": RUNTIME}) as chromium:
        yield chromium


def package(graph: Graph, program: Program, feeds: dict[str, np.ndarray]
            ) -> tuple[dict[str, Any], bytes]:
    """The arguments and the body of a job that opens `program`."""
    code = program.files["program"][0]
    code += b" " * (-len(code) % 4)
    used = {w["tensor"] for w in program.about["weights"]}
    tensors = {n: a for n, a in graph.constants.items() if n in used}
    parts = [*tensors.values(), *(feeds[n] for n in graph.inputs)]
    body = code + b"".join(np.asarray(p, "<f4").tobytes() for p in parts)
    about = {**program.about, "files": {"program": {}}}
    return ({"about": json.loads(json.dumps(about)), "size": len(code),
             "lengths": {n: a.size for n, a in tensors.items()}}, body)


def run_graph(browser: Browser, graph: Graph, feeds: dict[str, np.ndarray]) -> Answer:
    answer = browser.run(RUN, *package(graph, build(graph), feeds))
    assert answer.errors == []
    assert answer.value["same"]
    return answer


def check(browser: Browser, draw: Draw, *outputs: str,
          feeds: dict[str, np.ndarray] | None = None) -> None:
    """The graph's outputs on WebGPU agree with the reference within the operators' `ulps`."""
    graph = draw.graph(*outputs)
    feeds = feeds or sample_inputs(graph)
    feeds = {n: np.asarray(a, np.float32) for n, a in feeds.items()}
    want = interpret(graph, feeds)
    answer = run_graph(browser, graph, feeds)
    got = np.frombuffer(answer.body, "<f4")
    ulps = sum(OPS[n.op].ulps(bound(n, graph), [graph.shape(i) for i in n.inputs])
               for n in graph.nodes)
    at = 0
    for name in outputs:
        size = want[name].size
        part = got[at : at + size].reshape(want[name].shape)
        at += size
        peak = max(1.0, float(np.abs(want[name]).max(initial=0)))
        np.testing.assert_allclose(part, want[name], rtol=0, atol=(ulps + 1) * EPSILON * peak)
    assert at == got.size


def convolution(x: tuple[int, ...], kernel: tuple[int, int], o: int, **options: Any) -> Draw:
    """One conv2d of input "x" into "y"."""
    draw = Draw()
    draw.input("x", *x)
    groups = options.pop("groups", 1)
    w = draw.weights("w", *kernel, x[3] // groups, o)
    attrs = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), "groups": groups,
             "pad_mode": "zero", **options}
    draw.node("conv2d", "y", "x", w, draw.weights("b", o), **attrs)
    return draw


# Pixels and channels around the tiles' 4, 8, 16, 32, 64 and 128.
@pytest.mark.parametrize(
    "x, kernel, o, options",
    [
        ((1, 8, 8, 64), (1, 1), 64, {}),
        ((1, 9, 7, 36), (1, 1), 68, {}),
        ((2, 5, 5, 3), (1, 1), 5, {}),
        ((1, 1, 1, 96), (1, 1), 24, {}),
        ((1, 1, 1, 30), (1, 1), 7, {}),
        ((3, 1, 1, 96), (1, 1), 24, {}),
        ((1, 7, 7, 64), (3, 3), 48, {"pads": (1, 1, 1, 1)}),
        ((1, 7, 7, 256), (3, 3), 64, {"pads": (1, 1, 1, 1)}),
        ((1, 15, 17, 3), (7, 7), 64, {"pads": (3, 3, 3, 3), "strides": (2, 2)}),
        ((1, 65, 64, 8), (3, 3), 3, {"pads": (1, 1, 1, 1)}),
        ((1, 130, 66, 16), (3, 3), 32, {"pads": (0, 1, 1, 0), "strides": (2, 1)}),
        ((2, 6, 6, 8), (3, 2), 6, {"dilations": (2, 3), "pads": (2, 2, 0, 1)}),
        ((1, 7, 7, 20), (7, 7), 33, {}),
        ((2, 4, 3, 5), (4, 3), 9, {}),
        ((1, 9, 8, 8), (5, 5), 12, {"pads": (2, 2, 2, 2), "pad_mode": "reflect"}),
        ((1, 9, 8, 6), (5, 3), 12, {"pads": (4, 1, 3, 2), "pad_mode": "edge"}),
    ],
)
def test_conv2d(browser: Browser, x: tuple[int, ...], kernel: tuple[int, int], o: int,
                options: dict[str, Any]) -> None:
    check(browser, convolution(x, kernel, o, **options), "y")


@pytest.mark.parametrize(
    "x, kernel, o, options",
    [
        ((1, 9, 7, 8), (3, 3), 8, {"groups": 8, "pads": (1, 1, 1, 1)}),
        ((2, 9, 7, 7), (3, 3), 7, {"groups": 7, "pads": (1, 1, 1, 1), "strides": (2, 2)}),
        ((1, 9, 9, 6), (5, 5), 12, {"groups": 6, "pads": (2, 2, 2, 2)}),
        ((1, 9, 9, 4), (3, 3), 16, {"groups": 4, "dilations": (2, 2)}),
        ((1, 6, 5, 12), (3, 3), 9, {"groups": 3, "pads": (1, 1, 1, 1)}),
        ((1, 8, 8, 64), (3, 3), 32, {"groups": 2, "pads": (1, 1, 1, 1)}),
        ((1, 8, 8, 30), (3, 3), 34, {"groups": 2, "pads": (1, 1, 1, 1)}),
        ((1, 7, 6, 8), (3, 3), 8, {"groups": 8, "pads": (1, 1, 1, 1), "pad_mode": "reflect"}),
        ((1, 7, 6, 6), (3, 3), 6, {"groups": 3, "pads": (2, 0, 1, 1), "pad_mode": "edge"}),
        # Wide enough for several pixels an invocation, with a ragged last strip.
        ((1, 97, 95, 32), (3, 3), 32, {"groups": 32, "pads": (1, 1, 1, 1)}),
        ((1, 101, 203, 64), (5, 5), 64, {"groups": 64, "pads": (2, 2, 2, 2)}),
    ],
)
def test_grouped_conv2d(browser: Browser, x: tuple[int, ...], kernel: tuple[int, int], o: int,
                        options: dict[str, Any]) -> None:
    check(browser, convolution(x, kernel, o, **options), "y")


RELU_RESIDUAL = call("max", inp(0) + inp(1) * inp(2), 0.0)


@pytest.mark.parametrize("c, groups", [(8, 1), (6, 1), (8, 8), (7, 7)])
def test_conv2d_epilogue(browser: Browser, c: int, groups: int) -> None:
    draw = convolution((1, 6, 5, c), (3, 3), c, groups=groups, pads=(1, 1, 1, 1))
    node = draw.nodes.pop()
    draw.input("residual", 1, 6, 5, c)
    vector = draw.weights("vector", 1, 1, 1, c)
    draw.node("conv2d", "y", *node.inputs, "residual", vector,
              **{**node.attrs, "epilogue": RELU_RESIDUAL})
    check(browser, draw, "y")


def test_split_sums_keep_the_epilogue(browser: Browser) -> None:
    draw = convolution((1, 3, 3, 512), (3, 3), 32, pads=(1, 1, 1, 1))
    node = draw.nodes.pop()
    draw.input("residual", 1, 3, 3, 32)
    vector = draw.weights("vector", 32)
    draw.node("conv2d", "y", *node.inputs, "residual", vector,
              **{**node.attrs, "epilogue": RELU_RESIDUAL})
    program = json.loads(build(draw.graph("y")).files["program"][0])
    assert len(program["dispatches"]) == 2
    check(browser, draw, "y")


def test_too_many_operands_become_several_dispatches(browser: Browser) -> None:
    draw = convolution((1, 4, 4, 8), (1, 1), 8)
    node = draw.nodes.pop()
    extras = [draw.input(f"r{i}", 1, 4, 4, 8) for i in range(9)]
    total = inp(0)
    for i in range(1, 10):
        total = total * inp(i) + float(i)
    draw.node("conv2d", "y", *node.inputs, *extras, **{**node.attrs, "epilogue": total})
    check(browser, draw, "y")


@pytest.mark.parametrize(
    "a, b",
    [
        ((5, 64), (64, 64)), ((1, 37), (37, 10)), ((1, 128), (128, 132)), ((65, 33), (33, 66)),
        ((2, 3, 17, 8), (2, 3, 8, 20)), ((3, 1, 4, 8), (2, 8, 5)), ((4, 6, 8), (8, 12)),
        ((2, 1, 16), (2, 16, 24)), ((7, 2048), (2048, 12)), ((1, 2050), (2050, 1001)),
    ],
)
def test_matmul(browser: Browser, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    draw = Draw()
    draw.node("matmul", "y", draw.input("a", *a), draw.input("b", *b), draw.weights("c", b[-1]))
    check(browser, draw, "y")


def test_a_matrix_larger_than_a_binding_is_cut(browser: Browser,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxpress.kernels.matmul.wgsl.MAX_BINDING", 4096)
    for rows in (1, 5):
        draw = Draw()
        draw.node("matmul", "y", draw.input("a", rows, 150), draw.weights("b", 150, 24),
                  draw.weights("c", 24), epilogue=call("max", inp(0), 0.0))
        tensors = [w["tensor"] for w in build(draw.graph("y")).about["weights"]]
        assert tensors.count("b") == 4
        check(browser, draw, "y")


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


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("c", [4, 5])
@pytest.mark.parametrize(
    "attrs",
    [
        {"kernel": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1), "size": (5, 4)},
        {"kernel": (2, 3), "strides": (2, 2), "pads": (0, 1, 0, 1), "size": (5, 4)},
        {"kernel": (3, 2), "strides": (1, 2), "pads": (1, 0, 1, 0), "dilations": (2, 3),
         "size": (7, 3)},
    ],
)
@pytest.mark.parametrize("count", [False, True])
def test_pool2d(browser: Browser, kind: str, c: int, attrs: dict[str, Any], count: bool) -> None:
    draw = Draw()
    draw.node("pool2d", "y", draw.input("x", 2, 9, 8, c), kind=kind, count_include_pad=count,
              **{"dilations": (1, 1), **attrs})
    check(browser, draw, "y")


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize(
    "shape, axes",
    [
        ((2, 7, 5, 8), (1, 2)), ((2, 7, 5, 6), (1, 2)), ((3, 300), (1,)), ((300, 3), (0,)),
        ((4, 5, 6), (0, 2)), ((2, 3, 4), (0, 1, 2)), ((5,), (0,)), ((3, 1), (1,)),
        ((130, 40, 3), (0, 1)), ((130, 40, 4), (0, 1)),
    ],
)
def test_reduce(browser: Browser, kind: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    draw = Draw()
    draw.node("reduce", "y", draw.input("x", *shape), kind=kind, axes=axes)
    feeds = {"x": np.random.default_rng(3).uniform(0.98, 1.02, shape)} if kind == "prod" else None
    check(browser, draw, "y", feeds=feeds)


@pytest.mark.parametrize("shape, axis", [((3, 10), 1), ((2, 300), 1), ((2, 5, 8), 1),
                                         ((2, 5, 7), 1), ((1000,), 0), ((1, 70, 3), 2)])
@pytest.mark.parametrize("log", [False, True])
def test_softmax(browser: Browser, shape: tuple[int, ...], axis: int, log: bool) -> None:
    draw = Draw()
    draw.node("softmax", "y", draw.input("x", *shape), axis=axis, log=log)
    check(browser, draw, "y")


@pytest.mark.parametrize(
    "shape, axes, scale",
    [
        ((1, 9, 7, 8), (1, 2), (1, 1, 1, 8)), ((2, 9, 7, 6), (1, 2), (2, 1, 1, 6)),
        ((1, 64, 60, 12), (1, 2), (1, 1, 1, 12)), ((1, 64, 61, 3), (1, 2), (1, 1, 1, 3)),
        ((5, 48), (1,), (48,)), ((2, 3, 33), (2,), (33,)), ((2, 4, 5, 6), (1, 2, 3), (1, 1, 1, 6)),
    ],
)
def test_normalize(browser: Browser, shape: tuple[int, ...], axes: tuple[int, ...],
                   scale: tuple[int, ...]) -> None:
    draw = Draw()
    draw.input("x", *shape)
    residual = draw.input("r", *shape)
    scale_, shift = draw.input("scale", *scale), draw.weights("shift", *scale)
    draw.node("normalize", "y", "x", scale_, shift, residual, axes=axes, eps=1e-5,
              epilogue=call("max", inp(0) + inp(1), 0.0))
    check(browser, draw, "y")


def test_normalize_is_robust_against_a_large_mean(browser: Browser) -> None:
    for shape in ((1, 20, 20, 4), (1, 64, 64, 4)):
        draw = Draw()
        draw.node("normalize", "y", draw.input("x", *shape), draw.weights("a", 1, 1, 1, 4),
                  draw.weights("b", 1, 1, 1, 4), axes=(1, 2), eps=1e-5)
        x = 1000 + np.random.default_rng(1).standard_normal(shape)
        check(browser, draw, "y", feeds={"x": np.float32(x)})


def taps(length: int, size: int, width: int) -> tuple:
    random = np.random.default_rng(size)
    lines = range(size)
    return (tuple(tuple(int(i) for i in random.integers(0, length, width)) for _ in lines),
            tuple(tuple(float(np.float32(w)) for w in random.random(width)) for _ in lines))


@pytest.mark.parametrize("c", [4, 3])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_resize2d(browser: Browser, c: int, width: int) -> None:
    draw = Draw()
    draw.node("resize2d", "y", draw.input("x", 2, 5, 6, c), rows=taps(5, 7, width),
              cols=taps(6, 9, width))
    check(browser, draw, "y")


def test_nearest_upsampling_needs_no_table(browser: Browser) -> None:
    twice = [(tuple((i // 2,) for i in range(2 * n)), ((1.0,),) * (2 * n)) for n in (5, 6)]
    draw = Draw()
    draw.node("resize2d", "y", draw.input("x", 1, 5, 6, 8), rows=twice[0], cols=twice[1])
    assert json.loads(build(draw.graph("y")).files["program"][0])["tables"] == []
    check(browser, draw, "y")


MOVES = {
    "transpose": ("transpose", [(2, 3, 4, 5)], {"perm": (0, 3, 1, 2)}, None),
    "transpose_wide": ("transpose", [(2, 3, 8)], {"perm": (1, 0, 2)}, None),
    "slice": ("slice", [(4, 9, 8)], {"starts": (1, 8, 0), "steps": (2, -3, 1)}, (2, 3, 8)),
    "concat": ("concat", [(2, 3, 4), (2, 3, 8), (2, 3, 12)], {"axis": 2}, None),
    "concat_odd": ("concat", [(2, 3), (2, 2)], {"axis": 1}, None),
    "concat_many": ("concat", [(1, 2, 4)] * 17, {"axis": 1}, None),
    "pad": ("pad", [(3, 4)], {"before": (1, 0), "after": (2, 3), "mode": "constant",
                              "value": 1.5}, None),
    "pad_reflect": ("pad", [(1, 5, 6, 3)], {"before": (0, 2, 1, 0), "after": (0, 1, 3, 0),
                                            "mode": "reflect", "value": 0.0}, None),
    "pad_edge": ("pad", [(1, 3, 2, 4)], {"before": (0, 2, 1, 0), "after": (0, 1, 3, 0),
                                         "mode": "edge", "value": 0.0}, None),
    "expand": ("expand", [(3, 1, 4)], {}, (2, 3, 5, 4)),
    "expand_scalar": ("expand", [()], {}, (7,)),
    "upsample_zero": ("upsample_zero", [(1, 3, 4, 5)], {"strides": (2, 3)}, None),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(browser: Browser, name: str) -> None:
    op, shapes, attrs, shape = MOVES[name]
    draw = Draw()
    names = [draw.input(f"x{i}", *s) for i, s in enumerate(shapes)]
    draw.node(op, "y", *names, shape=shape, **attrs)
    check(browser, draw, "y")


@pytest.mark.parametrize("shape, axis", [((7, 8), 0), ((3, 5, 3), 1), ((9,), 0)])
def test_gather(browser: Browser, shape: tuple[int, ...], axis: int) -> None:
    draw = Draw()
    draw.node("gather", "y", draw.input("x", *shape), draw.input("i", 2, 3), axis=axis)
    feeds = {"x": np.random.default_rng(1).standard_normal(shape),
             "i": np.array([[0, -1, 2], [1, -3, 0]])}
    check(browser, draw, "y", feeds=feeds)


@pytest.mark.parametrize("largest, select_last", list(product([True, False], repeat=2)))
@pytest.mark.parametrize("shape, axis", [((3, 700), 1), ((2, 5, 7), 1), ((4,), 0)])
def test_argmax(browser: Browser, shape: tuple[int, ...], axis: int, largest: bool,
                select_last: bool) -> None:
    draw = Draw()
    draw.node("argmax", "y", draw.input("x", *shape), axis=axis, largest=largest,
              select_last=select_last)
    x = np.random.default_rng(1).integers(-3, 4, shape)  # with many ties
    check(browser, draw, "y", feeds={"x": x})


@pytest.mark.parametrize("lo, hi", [(2, 2), (1, 2), (9, 0)])
def test_window_sum(browser: Browser, lo: int, hi: int) -> None:
    draw = Draw()
    draw.node("window_sum", "y", draw.input("x", 2, 3, 7), lo=lo, hi=hi)
    check(browser, draw, "y")


def test_constants_inputs_and_reshapes_can_be_outputs(browser: Browser) -> None:
    draw = Draw()
    draw.input("x", 2, 6)
    draw.weights("w", 5)
    draw.node("reshape", "flat", "x", shape=(12,))
    draw.node("pointwise", "y", "flat", expr=inp(0) * 2.0)
    draw.node("reshape", "z", "y", shape=(3, 4))
    check(browser, draw, "x", "w", "z", "flat")
