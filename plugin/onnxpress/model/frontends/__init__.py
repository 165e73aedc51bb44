"""Models of PyTorch, Keras and TFLite -> ModelProto, each through its framework's own exporter.

A framework is imported only for a model of that framework, so none of them has to be installed.
"""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from onnx import ModelProto

from ...errors import ModelError, OnnxPressError
from ...graph.graph import Shape
from . import keras_model, torch_module

Shapes = Mapping[str, Shape]  # input name -> shape

# Keras comes first: on the PyTorch backend a keras.Model is a torch.nn.Module too.
EXPORTERS = {"Keras": keras_model, "PyTorch": torch_module}

# Fields in which exporters keep stack traces, paths and times.
REMARKS = {"doc_string", "metadata_props", "producer_name", "producer_version"}


def to_onnx(value: Any, shapes: Shapes, where: str) -> ModelProto:
    """The ONNX model of `value`, which a recipe returned. `where` names the recipe in errors.

    Raises:
        ModelError: the value is no model, a shape is missing, or the framework cannot export it.
    """
    if isinstance(value, ModelProto):
        return value
    for framework, exporter in EXPORTERS.items():
        if exporter.accepts(value):
            return _export(framework, exporter.write, value, shapes, where)
    raise ModelError(f"{where} returned {_kind(value)}; a model is an onnx.ModelProto, a "
                     "torch.nn.Module, a pair of one and its example inputs, or a keras.Model")


def read(path: Path) -> ModelProto:
    """The ONNX file that an exporter wrote, normalized so that equal models have equal bytes."""
    model = ModelProto.FromString(path.read_bytes())
    if model.producer_name == "tf2onnx":  # its names and their order follow memory addresses
        rename(model)
    strip_remarks(model)
    return model


def strip_remarks(message: Any) -> None:
    """Clears the fields REMARKS at every depth of the protobuf message."""
    for field, value in message.ListFields():
        if field.name in REMARKS:
            message.ClearField(field.name)
        elif field.message_type:
            for part in value if field.is_repeated else (value,):
                strip_remarks(part)


def rename(model: ModelProto) -> None:
    """Names values and nodes by their position; the graph's inputs and outputs keep their names."""
    graph = model.graph
    names = {port.name: port.name for port in (*graph.input, *graph.output)} | {"": ""}

    def settled(name: str, stem: str) -> str:
        return names.setdefault(name, f"{stem}.{len(names)}")

    for node in graph.node:
        kind = node.op_type.lower()
        node.input[:] = [settled(name, "constant") for name in node.input]
        node.output[:] = [settled(name, kind) for name in node.output]
        node.name = node.output[0]
        if not node.domain:
            node.ClearField("domain")  # written or not, it means the same
    for tensor in graph.initializer:
        tensor.name = settled(tensor.name, "constant")
    graph.initializer.sort(key=lambda tensor: tensor.name)
    del graph.value_info[:]


def first_line(error: BaseException) -> str:
    """The first line of the error's message that is not empty, or the error's type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _export(framework: str, write: Any, value: Any, shapes: Shapes, where: str) -> ModelProto:
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder, _quiet():
        path = Path(folder, "model.onnx")
        try:
            write(value, shapes, where, path)
        except OnnxPressError:
            raise
        except ModuleNotFoundError as error:
            raise ModelError(f"{where} returned {_kind(value)}; exporting it needs the Python "
                             f"package {error.name}: pip install {error.name}") from error
        except Exception as error:
            raise ModelError(f"{where}: {framework} cannot export this model to ONNX: "
                             f"{first_line(_origin(error))}") from error
        return read(path)


def _origin(error: BaseException) -> BaseException:
    """The first error of the chain; the last one, from the exporter, is a page of advice."""
    while error.__cause__:
        error = error.__cause__
    return error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences exporters, which print their own graphs before they raise."""
    before = logging.root.manager.disable
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)


def _kind(value: Any) -> str:
    """The kind of `value` for an error message, such as "a torch.nn.Module" or "a list"."""
    if exporter := next((e for e in EXPORTERS.values() if e.accepts(value)), None):
        return exporter.KIND
    return "nothing" if value is None else f"a {type(value).__name__}"
