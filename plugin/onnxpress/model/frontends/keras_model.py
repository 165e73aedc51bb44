"""A Keras 3 model -> an ONNX file, by the model's own export(), on any backend of Keras."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ModelError
from ...graph.graph import Shape

KIND = "a keras.Model"


def accepts(value: Any) -> bool:
    """Whether `value` is a Keras model."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Model)


def write(model: Any, shapes: Mapping[str, Shape], where: str, path: Path) -> None:
    """Writes `model` to the ONNX file `path`, for a batch of one and the sizes in `shapes`.

    Raises:
        ModelError: a size is missing.
    """
    model.export(path, format="onnx", verbose=False,
                 input_signature=_signature(model, shapes, where))


def _signature(model: Any, shapes: Mapping[str, Shape], where: str) -> list[Any]:
    """Static shapes of the inputs, in the model's own structure. Keras would give a model with
    dynamic shapes to PyTorch's deprecated exporter, which may freeze a size of 1 into it."""
    import keras  # pyright: ignore[reportMissingImports]  # an optional package

    def spec(x: Any) -> Any:
        shape = shapes.get(x.name) or (x.shape[0] or 1, *x.shape[1:])
        if None in shape:
            raise ModelError(f"{where}: the input {x.name} has the shape {tuple(x.shape)}; fix "
                             f"its sizes, for example shapes: {{{x.name}: [1, 224, 224, 3]}}")
        return keras.InputSpec(shape=shape, dtype=x.dtype, name=x.name)

    if getattr(model, "inputs", None):
        inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        return [keras.tree.map_structure(spec, inputs)]
    if not shapes:
        raise ModelError(f"{where}: the model has not seen an input yet; write its shape, for "
                         "example shapes: {image: [1, 224, 224, 3]}")
    model(*(keras.ops.zeros(shape) for shape in shapes.values()))  # a first call builds it
    return [keras.InputSpec(shape=shape, dtype="float32", name=name)
            for name, shape in shapes.items()]
