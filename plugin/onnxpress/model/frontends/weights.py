"""A recipe's weights file: a safetensors file becomes arrays, any other file stays a path."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ...errors import ModelError


def open_weights(path: Path, name: str) -> "Path | Tensors":
    """The arrays of the file at `path` if its own `name` ends in .safetensors, else `path`."""
    return Tensors(path, name) if name.endswith(".safetensors") else path


class Tensors(Mapping[str, np.ndarray]):
    """Name -> array of a safetensors file. An array is read when it is asked for.

    Raises:
        ModelError: the file is not a safetensors file, or is cut short.
    """

    def __init__(self, path: Path, name: str) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            self._file = safe_open(path, framework="numpy")
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{name}: not a safetensors file, or cut short ({error})") from error
        self._name, self._keys = name, dict.fromkeys(self._file.keys())

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self._keys:
            raise KeyError(key)
        try:
            return self._file.get_tensor(key)
        except Exception as error:  # an element type without a numpy one: AttributeError, TypeError
            raise ModelError(f"{self._name}: the tensor {key} cannot be read: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
