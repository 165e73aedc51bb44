"""topk on NaN, infinities, zeros of both signs and ties: the same indices on every target."""

from pathlib import Path

import numpy as np
import pytest
from onnxpress.graph.graph import Graph
from onnxpress.ops.interpret import interpret
from onnxpress.programs.wasm.build import build
from onnxpress.run.browser import Browser
from onnxpress.run.wasmtime import WasmProgram
from support.graphs import Draw
from support.node import run_in_node
from support.webgpu_jobs import run_graph

ODD = np.float32([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1.0, -1.0, 1e-40])


def drawn(k: int, largest: bool) -> tuple[Graph, dict[str, np.ndarray]]:
    """The best k of 40 odd numbers in each of 6 rows, two of them beside each other."""
    d = Draw()
    d.outputs("topk", ("v", "i"), d.input("x", 3, 40, 2), axis=1, k=k, largest=largest)
    return d.graph("v", "i"), {"x": np.random.default_rng(k).choice(ODD, (3, 40, 2))}


def by_hand(x: np.ndarray, k: int, largest: bool) -> np.ndarray:
    """The indices of the best k along axis 1, as ops/topk.py says."""
    def rank(value: float) -> tuple[bool, float]:
        return (bool(np.isnan(value)), 0.0 if np.isnan(value) else float(value))

    out = np.zeros((len(x), k, x.shape[2]))
    for row, column in np.ndindex(len(x), x.shape[2]):
        line = [rank(v) for v in x[row, :, column]]
        order = sorted(range(len(line)), key=line.__getitem__)  # ties stay in order
        if largest:
            order = sorted(range(len(line)), key=lambda i: (line[i], -i), reverse=True)
        out[row, :, column] = order[:k]
    return out


def compare(got: list[np.ndarray], x: np.ndarray, k: int, largest: bool) -> None:
    want = by_hand(x, k, largest)
    np.testing.assert_array_equal(got[1].reshape(want.shape), want)
    values = np.take_along_axis(x, want.astype(int), 1)
    np.testing.assert_array_equal(got[0].reshape(want.shape), values)


every = pytest.mark.parametrize(("k", "largest"), [(1, True), (7, True), (40, True), (5, False),
                                                   (40, False)])


@every
def test_reference_and_wasm(k: int, largest: bool) -> None:
    graph, feeds = drawn(k, largest)
    compare(list(interpret(graph, feeds).values()), feeds["x"], k, largest)
    program = build(graph)
    for isa in ("relaxed", "simd128"):
        ran = WasmProgram(program.files[isa][0], program.about, {}).run([feeds["x"]])
        compare(ran, feeds["x"], k, largest)


def test_javascript(tmp_path: Path) -> None:
    cases = {f"{k}{largest}": (k, largest) for k, largest in ((7, True), (40, True), (40, False))}
    made = {name: drawn(*case) for name, case in cases.items()}
    got = run_in_node(tmp_path, {n: g for n, (g, _) in made.items()},
                      {n: f for n, (_, f) in made.items()})
    for name, case in cases.items():
        compare(list(got[name]), made[name][1]["x"], *case)


@every
def test_webgpu(browser: Browser, k: int, largest: bool) -> None:
    graph, feeds = drawn(k, largest)
    body = np.frombuffer(run_graph(browser, graph, feeds).body, "<f4")
    size = graph.shape("v")[0] * k * 2
    tiny = np.where(np.abs(body[:size]) < 1e-38, 0, body[:size])  # a GPU may read 1e-40 as 0
    x = np.where(np.abs(feeds["x"]) < 1e-38, 0, feeds["x"])
    want = by_hand(feeds["x"], k, largest)
    np.testing.assert_array_equal(body[size:].reshape(want.shape), want)
    np.testing.assert_array_equal(tiny.reshape(want.shape),
                                  np.take_along_axis(x, want.astype(int), 1))
