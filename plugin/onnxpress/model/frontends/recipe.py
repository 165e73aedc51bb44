"""Python file -> ModelProto: a recipe is a function that returns a model of any framework.

A recipe is code by the site's author and runs with the author's rights.
"""

import hashlib
import importlib
import inspect
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx import ModelProto

from ...errors import ModelError, did_you_mean
from . import Shapes, first_line, to_onnx


def run_recipe(path: Path, arguments: Mapping[str, Any], function: str = "build",
               shapes: Shapes | None = None) -> ModelProto:
    """The model that `function`(**arguments) in the Python file `path` returns. The file may import
    files beside it relatively. `shapes`: input name -> shape, for a framework that traces its
    models.

    Raises:
        ModelError: there is no such function, it fails, or it returns no model.
    """
    where = f"{path.name}:{function}"
    build = _function(path, function)
    try:
        inspect.signature(build).bind(**arguments)
    except TypeError as error:
        raise ModelError(f"{where}: arguments: {error}") from error
    try:
        value = build(**arguments)
    except ModelError:
        raise
    except ModuleNotFoundError as error:
        raise ModelError(_missing(path, error)) from error
    except Exception as error:
        raise ModelError(f"{where}: the recipe failed: {type(error).__name__}: "
                         f"{first_line(error)}") from error
    return to_onnx(value, shapes or {}, where)


def _function(path: Path, name: str) -> Any:
    if not path.is_file():
        raise ModelError(f"{path}: cannot be read: there is no such file")
    try:
        module = importlib.import_module(f"{_package(path.parent)}.{path.stem}")
    except ModuleNotFoundError as error:
        raise ModelError(_missing(path, error)) from error
    except Exception as error:
        raise ModelError(f"{path.name}: the recipe cannot be loaded: {type(error).__name__}: "
                         f"{error}") from error
    found = getattr(module, name, None)
    if not callable(found):
        known = [n for n, v in vars(module).items()
                 if inspect.isfunction(v) and v.__module__ == module.__name__]
        raise ModelError(f'{path.name}: there is no function "{name}" in it.'
                         f"{did_you_mean(name, known) or ' It has: ' + ', '.join(known)}")
    return found


def _package(folder: Path) -> str:
    """The name of a package of the folder's files; it clashes with no other package."""
    name = "onnxpress_recipes_" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    if name not in sys.modules:
        module = types.ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module
    return name


def _missing(path: Path, error: ModuleNotFoundError) -> str:
    module = error.name or ""
    name = module.partition(".")[0]
    if name.startswith("onnxpress_recipes_"):
        return f"{path.name}: there is no {module.rpartition('.')[2]}.py beside it"
    if (path.parent / f"{name}.py").is_file():
        return (f"{path.name}: files beside it are imported relatively; "
                f"write from .{name} import …")
    return f"{path.name} needs the Python package {name}: pip install {name}"
