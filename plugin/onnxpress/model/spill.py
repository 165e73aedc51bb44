"""Spilling: a large model's weights move to a file, as ONNX external data, while it is compiled.

A protobuf message keeps its bytes in memory as long as it lives. The graph's constants, onnxruntime
and the program under proof need that memory. Pages that are mapped from a file can be dropped.
"""

from math import prod
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper

LARGE_MODEL = 256 << 20  # bytes; a smaller model compiles faster in memory
LARGE_TENSOR = 1 << 20  # bytes; smaller tensors stay in the message
FILE = "weights.raw"


def spill(model: ModelProto, folder: Path | None) -> ModelProto:
    """The model with its large weights in a file in `folder`; the weights in `model` are cleared.
    A small model, or any model without a folder, is returned as it is."""
    if folder is None or model.ByteSize() < LARGE_MODEL:
        return model
    path = (folder / FILE).resolve()
    with path.open("wb") as file:
        for tensor in filter(_is_large, model.graph.initializer):
            facts = {"location": path, "offset": file.tell(), "length": len(tensor.raw_data)}
            file.write(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in facts.items():
                tensor.external_data.add(key=key, value=str(value))
    return ModelProto.FromString(model.SerializeToString())  # a message never shrinks


def _is_large(tensor: TensorProto) -> bool:
    size = len(tensor.raw_data)
    return size >= LARGE_TENSOR and size == prod(tensor.dims) * _dtype(tensor).itemsize


def _dtype(tensor: TensorProto) -> np.dtype:
    return np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))


def spilled(model: ModelProto) -> list[TensorProto]:
    """The weights that `spill` has moved. `source.read_model` leaves no other external data."""
    return [t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]


def spilled_arrays(model: ModelProto) -> dict[str, np.ndarray]:
    """Name -> elements of the weights that `spill` has moved, mapped from the file."""
    return {tensor.name: _mapped(tensor) for tensor in spilled(model)}


def _mapped(tensor: TensorProto) -> np.ndarray:
    facts = {e.key: e.value for e in tensor.external_data}
    return np.asarray(np.memmap(facts["location"], _dtype(tensor), "r", int(facts["offset"]),
                                tuple(tensor.dims)))


def model_bytes(model: ModelProto) -> int:
    """The size of the model in bytes, spilled weights included."""
    return model.ByteSize() + sum(a.nbytes for a in spilled_arrays(model).values())
