"""How weights are stored: f32 tensor -> bytes, and back to what every target computes with."""

from collections.abc import Iterable

import numpy as np

from .errors import PackError

SMALL = 4096  # elements: biases and tables stay f32, they weigh nothing and round badly
F16_MAX = float(np.finfo(np.float16).max)


def encode(array: np.ndarray, encoding: str) -> tuple[str, bytes, bytes]:
    """(encoding used, values, scales) of a canonical f32 tensor.

    Integers that fit are int8 with scale 1 in any case: that is lossless. int8 is symmetric per
    last axis (output channel), scale = max|w| / 127.

    Raises:
        PackError: a value does not fit f16.
    """
    flat = np.ascontiguousarray(array, dtype="<f4")
    axis = flat.shape[-1] if flat.ndim else 1
    if flat.size > axis and _is_int8(flat):
        return "int8", flat.astype(np.int8).tobytes(), np.ones(axis, "<f4").tobytes()
    if encoding == "f32" or flat.size < SMALL or flat.ndim < 2:
        return "f32", flat.tobytes(), b""
    if encoding == "f16":
        largest = float(np.abs(flat).max())
        if largest > F16_MAX:
            raise PackError(f"weights up to {largest:.3g} do not fit f16 "
                            f"(largest is {F16_MAX:g}); use weights: f32 or int8")
        return "f16", flat.astype("<f2").tobytes(), b""
    rows = flat.reshape(-1, axis)
    scale = np.maximum(np.abs(rows).max(axis=0), np.float32(1e-30)) / np.float32(127)
    return "int8", np.rint(rows / scale).astype(np.int8).tobytes(), scale.astype("<f4").tobytes()


def _is_int8(flat: np.ndarray) -> bool:
    return bool(np.abs(flat).max(initial=0) <= 127 and (flat == np.rint(flat)).all())


def decode(shape: Iterable[int], encoding: str, values: bytes, scales: bytes) -> np.ndarray:
    """The f32 tensor that every target computes with; the inverse of `encode`."""
    if encoding == "f32":
        flat = np.frombuffer(values, "<f4")
    elif encoding == "f16":
        flat = np.frombuffer(values, "<f2").astype(np.float32)
    else:
        scale = np.frombuffer(scales, "<f4")
        flat = np.frombuffer(values, np.int8).reshape(-1, len(scale)).astype(np.float32) * scale
    return flat.reshape(tuple(shape))
