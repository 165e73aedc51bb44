"""Work grows with the model, not with its square: counted in function calls, which no clock sways.

Four times the model may cost at most six times the calls: four for linear work, and half as much
again for what is n log n. Work that grows with the square would cost sixteen times as many.
"""

import sys
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnxpress.importer.model import import_model
from onnxpress.passes import run_passes
from onnxpress.passes.fuse_pointwise import MAX_SIZE
from onnxpress.programs.js import build as build_js
from onnxpress.programs.webgpu.build import build as build_webgpu
from support.onnx_models import model, node

SMALL, LARGE = 120, 480  # nodes; chains fuse into operators of 48 primitives
MOST = 6


def chain(n: int) -> onnx.ModelProto:
    """Pointwise operators in a row, each of which also reads the input."""
    nodes = [node("Mul" if i % 2 else "Add", f"v{i} x", f"v{i + 1}") for i in range(n)]
    return model([node("Relu", "x", "v0"), *nodes, node("Identity", f"v{n}", "y")], {"x": [1, 8]})


def wide(n: int) -> onnx.ModelProto:
    """One value with many readers, whose results are joined."""
    nodes = [node("Mul", f"r c{i}", f"m{i}") for i in range(n)]
    join = node("Concat", " ".join(f"m{i}" for i in range(n)), "y", axis=1)
    return model([node("Relu", "x", "r"), *nodes, join], {"x": [1, 4]},
                 weights={f"c{i}": np.full((1, 4), i + 0.5, np.float32) for i in range(n)})


def inputs(n: int) -> onnx.ModelProto:
    names = [f"x{i}" for i in range(n)]
    return model([node("Concat", " ".join(names), "y", axis=1)], {name: [1, 2] for name in names})


def convolutions(n: int) -> onnx.ModelProto:
    nodes = [node("Conv", f"v{i} w", f"v{i + 1}", pads=[1] * 4) for i in range(n)]
    return model([node("Relu", "x", "v0"), *nodes, node("Relu", f"v{n}", "y")],
                 {"x": [1, 4, 6, 6]}, weights={"w": np.ones((4, 4, 3, 3), np.float32)})


def calls(work: Callable[[], object]) -> int:
    """How many Python functions `work` calls."""
    count = 0

    def tally(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(tally)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("make", [chain, wide, inputs, convolutions])
def test_work_grows_with_the_model(make: Callable[[int], onnx.ModelProto]) -> None:
    def work(n: int) -> int:
        source = make(n)
        return calls(lambda: [build(run_passes(import_model(source, {}), lambda *_: None))
                              for build in (build_js, build_webgpu)])

    work(4)  # fills the caches
    assert work(LARGE) <= MOST * work(SMALL)


def test_a_thousand_operators_in_a_row_do_not_exhaust_the_stack() -> None:
    graph = run_passes(import_model(chain(1000), {}), lambda *_: None)
    assert 1000 / MAX_SIZE <= len(graph.nodes) < 1000
