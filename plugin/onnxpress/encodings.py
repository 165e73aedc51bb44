"""How weights are stored: f32 tensor -> bytes, and back to what every target computes with."""

from collections.abc import Iterable, Mapping

import numpy as np

SMALL = 4096  # elements: biases and tables stay f32, they weigh nothing and round badly
LARGE = 1 << 16  # elements: below it four bits save little and cost much
GROUP = 32  # consecutive weights of an output channel that share a 4-bit scale, as in GGML's Q4_0
HALF_ULP = 2.0**-11  # relative error of rounding to f16's normal numbers


def plan(constants: Mapping[str, np.ndarray], encoding: str) -> dict[str, str]:
    """Tensor name -> how it is stored in a pack of `encoding`: as that says, or finer where the
    tensor is small or does not fit."""
    return {name: _of(array, encoding) for name, array in constants.items()}


def _of(array: np.ndarray, encoding: str) -> str:
    if array.ndim and array.size > array.shape[-1] and _is_int8(array):
        return "int8"
    if encoding == "f32" or array.size < SMALL or array.ndim < 2:
        return "f32"
    if encoding == "f16":
        return "f16" if fits_f16(array) else "f32"
    if encoding == "int4" and array.size >= LARGE and _fits_int4(array):
        return "int4"
    return "int8"


def _is_int8(array: np.ndarray) -> bool:
    return bool(np.abs(array).max(initial=0) <= 127 and (array == np.rint(array)).all())


def fits_f16(array: np.ndarray) -> bool:
    """Whether f16 keeps the tensor to its 11 bits: nothing overflows, and what it flushes towards
    zero does not count."""
    with np.errstate(over="ignore"):
        error = array.astype(np.float16).astype(np.float64) - array
    return bool(np.linalg.norm(error) <= HALF_ULP * np.linalg.norm(array.astype(np.float64)))


def _fits_int4(array: np.ndarray) -> bool:
    return bool(np.abs(array).max() / 8 <= np.finfo(np.float16).max)


def encode(array: np.ndarray, encoding: str) -> tuple[str, bytes, bytes]:
    """(`encoding`, values, scales) of a canonical f32 tensor.

    int8 is symmetric per last axis (output channel), scale = max|w| / 127; whole numbers that fit
    have scale 1, which is lossless. int4 is symmetric per GROUP rows of a column, rows being all
    axes but the last: the value of greatest magnitude is -8 of an f16 scale (GGML's Q4_0).
    """
    flat = np.ascontiguousarray(array, dtype="<f4")
    if encoding == "f32":
        return encoding, flat.tobytes(), b""
    if encoding == "f16":
        return encoding, flat.astype("<f2").tobytes(), b""
    rows = flat.reshape(-1, flat.shape[-1])
    if encoding == "int4":
        return encoding, *_encode_int4(rows)
    if _is_int8(rows):
        return encoding, rows.astype(np.int8).tobytes(), np.ones(rows.shape[1], "<f4").tobytes()
    scale = np.maximum(np.abs(rows).max(axis=0), np.float32(1e-30)) / np.float32(127)
    values = np.rint(rows / scale).astype(np.int8)
    return encoding, values.tobytes(), scale.astype("<f4").tobytes()


def _encode_int4(rows: np.ndarray) -> tuple[bytes, bytes]:
    """Two values a byte in C order, the first in the low bits; scales f16[groups, columns]."""
    count, columns = rows.shape
    groups = np.pad(rows, ((0, -count % GROUP), (0, 0))).reshape(-1, GROUP, columns)
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(1)[:, None], 1)
    scale = (extreme / -8).astype("<f2")
    divisor = np.where(scale == 0, np.float32(1), scale.astype(np.float32))
    values = np.clip(np.rint(groups / divisor), -8, 7).astype(np.int8)
    nibbles = values.reshape(-1, columns)[:count].ravel().view(np.uint8) & 15
    nibbles = np.pad(nibbles, (0, nibbles.size % 2))
    return (nibbles[::2] | nibbles[1::2] << 4).tobytes(), scale.tobytes()


def decode(shape: Iterable[int], encoding: str, values: bytes, scales: bytes) -> np.ndarray:
    """The f32 tensor that every target computes with; the inverse of `encode`."""
    shape = tuple(shape)
    if encoding == "f32":
        return np.frombuffer(values, "<f4").reshape(shape)
    if encoding == "f16":
        return np.frombuffer(values, "<f2").astype(np.float32).reshape(shape)
    if encoding == "int4":
        return _decode_int4(shape, np.frombuffer(values, np.uint8), np.frombuffer(scales, "<f2"))
    scale = np.frombuffer(scales, "<f4")
    flat = np.frombuffer(values, np.int8).reshape(-1, len(scale)).astype(np.float32) * scale
    return flat.reshape(shape)


def round_trip(array: np.ndarray, encoding: str) -> np.ndarray:
    """What every target gets of a tensor that is stored in `encoding`."""
    return decode(array.shape, *encode(array, encoding))


def _decode_int4(shape: tuple[int, ...], packed: np.ndarray, scales: np.ndarray) -> np.ndarray:
    nibbles = np.stack((packed & 15, packed >> 4), axis=1).ravel()[: int(np.prod(shape))]
    values = ((nibbles ^ 8).astype(np.int8) - np.int8(8)).reshape(-1, shape[-1])
    scale = scales.astype(np.float32).reshape(-1, shape[-1]).repeat(GROUP, axis=0)[: len(values)]
    return (values * scale).reshape(shape)
