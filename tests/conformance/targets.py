"""Runs prepared node tests on the real targets: test name -> "" or what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from onnxpress.errors import OnnxPressError
from onnxpress.programs.js import build as build_js
from onnxpress.programs.wasm.build import build as build_wasm
from onnxpress.programs.webgpu.build import build as build_webgpu
from onnxpress.run.browser import Browser
from onnxpress.run.wasmtime import WasmProgram
from support.node import run_in_node
from support.webgpu_jobs import run_graph

from .node_tests import Prepared, fault

REFUSED = "refused: "
TARGETS = ("relaxed", "simd128", "js", "webgpu")


def told(run: Callable[[], Sequence[np.ndarray]], test: Prepared) -> str:
    """What is wrong with a run, or the sentence that refuses it."""
    try:
        return fault(test, run())
    except OnnxPressError as error:
        return f"{REFUSED}{error}"


def floats(test: Prepared) -> dict[str, np.ndarray]:
    """The inputs as programs get them, or what run() says of them in tensors.js.

    Raises:
        OnnxPressError: an integer is not exact in f32.
    """
    for array in test.feeds.values():
        kept = array.astype(np.float32).astype(array.dtype)
        if array.dtype.kind in "iu" and not np.array_equal(kept, array):
            raise OnnxPressError("run() refuses integers beyond 2^24 that f32 would round")
    return {n: a.astype(np.float32) for n, a in test.feeds.items()}


def on_wasm(tests: Sequence[Prepared], build: str) -> dict[str, str]:
    """The build `build` in wasmtime; the second of two runs is judged."""
    def run(test: Prepared) -> list[np.ndarray]:
        built = build_wasm(test.graph)
        program = WasmProgram(built.files[build][0], built.about, test.graph.constants)
        feeds = floats(test)
        given = [feeds[n] for n in test.graph.inputs]
        program.run(given)
        return program.run(given)

    return {test.test.name: told(lambda test=test: run(test), test) for test in tests}


def on_js(tests: Sequence[Prepared], folder: Path) -> dict[str, str]:
    """The JavaScript programs in one Node process."""
    found: dict[str, str] = {}
    ready: dict[str, Prepared] = {}
    for test in tests:
        try:
            build_js(test.graph)
            floats(test)
            ready[test.test.name] = test
        except OnnxPressError as error:
            found[test.test.name] = f"{REFUSED}{error}"
    outputs = run_in_node(folder, {n: t.graph for n, t in ready.items()},
                          {n: floats(t) for n, t in ready.items()})
    return found | {n: fault(t, outputs[n]) for n, t in ready.items()}


def on_webgpu(tests: Sequence[Prepared], browser: Browser) -> dict[str, str]:
    def run(test: Prepared) -> list[np.ndarray]:
        build_webgpu(test.graph, ())
        flat = np.frombuffer(run_graph(browser, test.graph, floats(test)).body, "<f4")
        sizes = [int(np.prod(test.graph.shape(n))) for n in test.graph.outputs]
        return np.split(flat, np.cumsum(sizes)[:-1])

    return {test.test.name: told(lambda test=test: run(test), test) for test in tests}


def merged(results: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Target -> (test -> result), turned into test -> (target -> result)."""
    names = next(iter(results.values()), {})
    return {name: {target: found[name] for target, found in results.items()} for name in names}
