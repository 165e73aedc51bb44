"""Reads PyTorch's legacy (pre-zip) checkpoint files: tensors only, no code.

A legacy file is a row of pickles: magic number, protocol, system facts, the object, and the list of
storage keys. For each key follow an i64 element count and the raw elements. The unpickler admits
ordered dictionaries and tensors over flat storages. It refuses any other global, so a file cannot
run code.
Source: torch/serialization.py, `_legacy_save`.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2",
            "LongStorage": "<i8", "IntStorage": "<i4", "ByteStorage": "u1", "CharStorage": "i1"}


class LegacyFormatError(ValueError):
    """The file is not a legacy checkpoint of plain tensors."""


class _Tensor:
    """A view of a storage, which the file holds after the object that names it."""

    def __init__(self, storage: tuple[str, str], offset: int, size: tuple, stride: tuple) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride


def _rebuild_tensor(storage, offset, size, stride, requires_grad, hooks, *_ignored) -> _Tensor:
    return _Tensor(storage, offset, tuple(size), tuple(stride))


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in STORAGES:
            return name
        raise LegacyFormatError(f"the checkpoint names {module}.{name}; only tensors are admitted")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """-> (storage key, element type) of ("storage", type, key, location, count, view)."""
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"):
            raise LegacyFormatError("the checkpoint holds something that is not a tensor storage")
        if pid[1] not in STORAGES:
            raise LegacyFormatError(f"storage type {pid[1]!r} is not one of {', '.join(STORAGES)}")
        return pid[2], STORAGES[pid[1]]


def load(path: Path) -> dict[str, np.ndarray]:
    """Tensor name -> array, in the file's order.

    Raises:
        LegacyFormatError: not a legacy checkpoint, truncated, or holds more than tensors.
    """
    with path.open("rb") as file:
        try:
            return _read(file)
        except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, IndexError,
                KeyError, ValueError) as error:
            raise LegacyFormatError(f"{path.name}: not a legacy checkpoint: {error}") from error


def _read(file: BinaryIO) -> dict[str, np.ndarray]:
    if (_Unpickler(file).load(), _Unpickler(file).load()) != (MAGIC, PROTOCOL):
        raise LegacyFormatError("wrong magic number")
    facts = _Unpickler(file).load()
    if not facts.get("little_endian", True):
        raise LegacyFormatError("the file is big-endian")
    tensors = _Unpickler(file).load()
    keys = _Unpickler(file).load()
    types = {t.storage[0]: t.storage[1] for t in tensors.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        dtype = np.dtype(types[key])
        raw = file.read(count * dtype.itemsize)
        storages[key] = np.frombuffer(raw, dtype, count)
    return {name: _view(t, storages[t.storage[0]]) for name, t in tensors.items()}


def _view(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.size, tensor.stride, strict=True))
    if any(n < 0 for n in (*tensor.size, *tensor.stride, tensor.offset)) or last >= len(storage):
        raise LegacyFormatError("a tensor reaches past its storage")
    strides = [s * storage.itemsize for s in tensor.stride]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset:], tensor.size, strides)
    return view.copy()
