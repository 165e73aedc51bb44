"""Weights that stay as the pack stores them in GPU memory, against those decoded by numpy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnxpress.compiler import Options, press
from onnxpress.emit.wgsl.device import DISCRETE, TILES
from onnxpress.graph.expr import call, inp
from onnxpress.proof.yardstick import Reference
from onnxpress.run.browser import Browser
from onnxpress.weights.encodings import LARGE
from support.graphs import Draw
from support.onnx_models import feeds, model, node
from support.packs import run_pack
from support.webgpu_jobs import RUN, check, package, program_of

ENCODINGS = ("f16", "int8", "int4")

# Rows put between others; split sums; one row; columns that are not whole words of four bits, and
# columns that are not fours, which lie as f32; groups; several pixels an invocation.
CONVOLUTIONS = (
    ((1, 15, 17, 3), (7, 7), 64, 1),
    ((1, 7, 7, 256), (3, 3), 48, 1),
    ((1, 1, 1, 96), (1, 1), 24, 1),
    ((1, 6, 5, 36), (1, 1), 12, 1),
    ((2, 5, 5, 40), (1, 1), 7, 1),
    ((1, 8, 8, 64), (3, 3), 32, 2),
    ((1, 9, 9, 4), (3, 3), 16, 4),
    ((1, 97, 95, 32), (5, 5), 32, 32),
)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_convolutions_of_awkward_shapes(browser: Browser, encoding: str) -> None:
    draw = Draw()
    for i, (x, kernel, o, groups) in enumerate(CONVOLUTIONS):
        weights = draw.weights(f"w{i}", *kernel, x[3] // groups, o)
        draw.node("conv2d", f"y{i}", draw.input(f"x{i}", *x), weights, draw.weights(f"b{i}", o),
                  strides=(1, 1), pads=(kernel[0] // 2,) * 4, dilations=(1, 1), groups=groups,
                  pad_mode="zero")
    check(browser, draw, *(f"y{i}" for i in range(len(CONVOLUTIONS))), encoding=encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_matrix_larger_than_a_binding_is_cut(browser: Browser, encoding: str,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxpress.kernels.matmul.wgsl.MAX_BINDING", 4096)
    draw = Draw()
    for name, rows in (("y", 1), ("z", 5)):
        draw.node("matmul", name, draw.input(f"{name}.a", rows, 150),
                  draw.weights(f"{name}.b", 150, 24), draw.weights(f"{name}.c", 24),
                  epilogue=call("max", inp(0), 0.0))
    check(browser, draw, "y", "z", encoding=encoding)


def test_weights_in_f32_are_rounded_for_a_program_that_keeps_them_in_f16(browser: Browser) -> None:
    draw = Draw()
    draw.node("matmul", "y", draw.constant("one", np.eye(40)), draw.weights("b", 40, 24),
              draw.constant("zero", np.zeros(24)))
    graph = draw.graph("y")
    program = program_of(graph, encodings={"b": "f16"})
    answer = browser.run(RUN, *package(graph, program, {}))
    halves = graph.constants["b"].astype(np.float16)
    assert np.array_equal(np.frombuffer(answer.body, "<f4").reshape(40, 24), halves)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_pack_of_each_encoding(browser: Browser, tmp_path: Path, encoding: str) -> None:
    """Through the public API, whose device check compares with the published program's numbers. The
    test compares with onnxruntime's, for another input."""
    random = np.random.default_rng(1)
    weights = {"a": random.normal(0, 0.2, (64, 3, 5, 5)), "b": random.normal(0, 0.1, (64, 1, 9, 9)),
               "c": random.integers(-8, 8, (64, LARGE // 64)) / 64}  # four bits hold most of it
    depthwise = node("Conv", "q b", "r", group=64)
    depthwise.name = "depthwise"
    nodes = [node("Conv", "x a", "p", strides=[4, 4]), node("Relu", "p", "q"), depthwise,
             node("GlobalAveragePool", "r", "s"), node("Flatten", "s", "t"),
             node("MatMul", "t c", "y")]
    net = model(nodes, {"x": [1, 3, 65, 65]},
                weights={n: a.astype(np.float32) for n, a in weights.items()})
    manifest = press(net, tmp_path, Options(weights=encoding)).manifest
    assert encoding in {t.encoding for t in manifest.weights.tensors}
    given = feeds(net)
    (got,) = run_pack(browser, tmp_path / "manifest.json", "webgpu", given)
    (want,) = Reference(net.SerializeToString()).run(given)
    assert np.dot(got, want[0]) >= 0.999 * np.linalg.norm(got) * np.linalg.norm(want)


def test_encodings_share_a_shader() -> None:
    draw = Draw()
    names = {"f32": 16, "f16": 32, "int8": 48, "int4": 64}
    x = draw.input("x", 1, 9, 9, 16)
    for encoding, channels in names.items():
        x = draw.conv(encoding, x, 3, channels, pad=1)
    device = replace(DISCRETE, tiles=TILES[:1], processors=1)
    program = program_of(draw.graph(x), device, {f"{name}.w": name for name in names})
    assert len(program["shaders"]) == 1
    sizes = {w["kind"]: w["bytes"] for w in program["weights"] if w["kind"] != "scale"
             and w["tensor"].endswith(".w")}
    assert sizes == {"f32": 4 * 9 * 16 * 16, "f16": 2 * 9 * 16 * 32, "int8": 9 * 32 * 48,
                     "int4": 9 * 48 * 64 // 2}
