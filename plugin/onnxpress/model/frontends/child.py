"""Runs a recipe in a process of its own, so that a pack does not depend on earlier builds.

Frameworks number names per process, order sets by a random seed, and keep memory.

Run with the arguments REQUEST.json MODEL.onnx.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx import ModelProto

from ...errors import ModelError, sentence
from ..child import run_child
from . import Shapes
from .recipe import run_recipe
from .weights import open_weights


def run_apart(path: Path, function: str, arguments: Mapping[str, Any], shapes: Shapes,
              weights: tuple[Path, str] | None = None) -> ModelProto:
    """As `run_recipe`, in a child process. `weights`: (path, file name) of a weights file, which
    the recipe gets opened, as the argument "weights".

    Raises:
        ModelError: as `run_recipe`, or the process ended without a message.
    """
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
        request, target = Path(folder, "request.json"), Path(folder, "model.onnx")
        request.write_text(json.dumps([str(path.resolve()), function, dict(arguments), dict(shapes),
                                       weights and [str(weights[0]), weights[1]]]), "utf-8",
                           newline="\n")
        status = run_child("onnxpress.model.frontends.child", request, target,
                           env={"PYTHONHASHSEED": "0"})
        failure = target.with_suffix(".txt")
        if failure.is_file():
            raise ModelError(failure.read_text("utf-8"))
        if status:
            raise ModelError(f"{path.name}:{function}: the process that builds the model ended "
                             f"with code {status}; it may have run out of memory")
        return ModelProto.FromString(target.read_bytes())


def _child(request: Path, target: Path) -> None:
    path, function, arguments, shapes, weights = json.loads(request.read_text("utf-8"))
    try:
        if weights:
            arguments["weights"] = open_weights(Path(weights[0]), weights[1])
        model = run_recipe(Path(path), arguments, function,
                           {name: tuple(shape) for name, shape in shapes.items()})
        target.write_bytes(model.SerializeToString(deterministic=True))
    except Exception as error:
        target.with_suffix(".txt").write_text(sentence(error), "utf-8", newline="\n")


if __name__ == "__main__":
    _child(Path(sys.argv[1]), Path(sys.argv[2]))
