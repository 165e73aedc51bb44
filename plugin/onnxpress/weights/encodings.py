"""How weights are stored: f32 tensor -> bytes, and back to what every target computes with."""

from collections.abc import Iterable, Iterator, Mapping
from math import prod

import numpy as np

SMALL = 4096  # elements: biases and tables stay f32, they weigh nothing and round badly
LARGE = 1 << 16  # elements: below it four bits save little and cost much
GROUP = 32  # consecutive weights of an output channel that share a 4-bit scale, as in GGML's Q4_0
HALF_ULP = 2.0**-11  # relative error of rounding to f16's normal numbers
PIECE = 1 << 20  # elements converted at a time: a large matrix fits memory once, not three times


def plan(constants: Mapping[str, np.ndarray], encoding: str) -> dict[str, str]:
    """Tensor name -> how it is stored in a pack of `encoding`: as that says, or finer where the
    tensor is small or does not fit."""
    return {name: _of(array, encoding) for name, array in constants.items()}


def _of(array: np.ndarray, encoding: str) -> str:
    if array.ndim and array.size > array.shape[-1] and is_int8(array):
        return "int8"
    if encoding == "f32" or array.size < SMALL or array.ndim < 2:
        return "f32"
    if encoding == "f16":
        return "f16" if fits_f16(array) else "f32"
    if encoding == "int4" and array.size >= LARGE and _fits_int4(array):
        return "int4"
    return "int8"


def pieces(array: np.ndarray) -> Iterator[slice]:
    """Slices of the first axis, of about PIECE elements each."""
    count = max(1, PIECE * len(array) // max(array.size, 1))
    return (slice(at, at + count) for at in range(0, len(array), count))


def is_int8(array: np.ndarray) -> bool:
    return all(np.abs(array[s]).max(initial=0) <= 127 and (array[s] == np.rint(array[s])).all()
               for s in pieces(array))


def fits_f16(array: np.ndarray) -> bool:
    """Whether f16 keeps the tensor to its 11 bits: nothing overflows, and what it flushes towards
    zero does not count."""
    errors = norms = 0.0
    for part in pieces(array):
        exact = array[part].astype(np.float64)
        with np.errstate(over="ignore"):
            error = array[part].astype(np.float16) - exact
        errors += float(np.square(error).sum())
        norms += float(np.square(exact).sum())
    return errors <= HALF_ULP**2 * norms


def _fits_int4(array: np.ndarray) -> bool:
    return bool(np.abs(array).max() / 8 <= np.finfo(np.float16).max)


def encode(array: np.ndarray, encoding: str) -> tuple[str, bytes | memoryview, bytes]:
    """(`encoding`, values, scales) of a canonical f32 tensor; values in f32 are a view of it.

    int8 is symmetric per last axis (output channel), scale = max|w| / 127; whole numbers that fit
    have scale 1, which is lossless. int4 is symmetric per GROUP rows of a column, rows being all
    axes but the last: the value of greatest magnitude is -8 of an f16 scale (GGML's Q4_0).
    """
    flat = np.ascontiguousarray(array, dtype="<f4")
    if encoding == "f32":
        return encoding, flat.reshape(-1).view(np.uint8).data, b""
    if encoding == "f16":
        return encoding, flat.astype("<f2").tobytes(), b""
    rows = flat.reshape(-1, flat.shape[-1])
    if encoding == "int4":
        return encoding, *_encode_int4(rows)
    if is_int8(rows):
        return encoding, rows.astype(np.int8).tobytes(), np.ones(rows.shape[1], "<f4").tobytes()
    largest = np.maximum(rows.max(axis=0), -rows.min(axis=0))
    scale = np.maximum(largest, np.float32(1e-30)) / np.float32(127)
    values = np.empty(rows.shape, np.int8)
    for part in pieces(rows):
        values[part] = np.rint(rows[part] / scale)
    return encoding, values.tobytes(), scale.astype("<f4").tobytes()


def _encode_int4(rows: np.ndarray) -> tuple[bytes, bytes]:
    """Two values a byte in C order, the first in the low bits; scales f16[groups, columns]."""
    nibbles, scales = np.zeros(rows.size + rows.size % 2, np.uint8), []
    step = GROUP * max(1, PIECE // (GROUP * rows.shape[1]))
    for at in range(0, len(rows), step):
        values, scale = _quantize_int4(rows[at : at + step])
        start = at * rows.shape[1]
        nibbles[start : start + values.size] = values
        scales.append(scale)
    return (nibbles[::2] | nibbles[1::2] << 4).tobytes(), np.concatenate(scales).tobytes()


def _quantize_int4(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nibbles u8[values], scales f16[groups, columns]."""
    count, columns = rows.shape
    groups = np.pad(rows, ((0, -count % GROUP), (0, 0))).reshape(-1, GROUP, columns)
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(1)[:, None], 1)
    scale = (extreme / -8).astype("<f2")
    divisor = np.where(scale == 0, np.float32(1), scale.astype(np.float32))
    values = np.clip(np.rint(groups / divisor), -8, 7).astype(np.int8)
    return values.reshape(-1, columns)[:count].ravel().view(np.uint8) & 15, scale


def most_scales(shape: tuple[int, ...]) -> int:
    """How many scales a tensor may have, however it is stored."""
    columns = shape[-1] if shape else 1
    return columns * -(-prod(shape) // (max(columns, 1) * GROUP))


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
    flat = np.frombuffer(values, np.int8).reshape(-1, len(scale)).astype(np.float32)
    flat *= scale
    return flat.reshape(shape)


def round_trip(array: np.ndarray, encoding: str) -> np.ndarray:
    """What every target gets of a tensor that is stored in `encoding`."""
    return decode(array.shape, *encode(array, encoding))


def _decode_int4(shape: tuple[int, ...], packed: np.ndarray, scales: np.ndarray) -> np.ndarray:
    nibbles = np.stack((packed & 15, packed >> 4), axis=1).ravel()[: int(np.prod(shape))]
    values = ((nibbles ^ 8).astype(np.int8) - np.int8(8)).reshape(-1, shape[-1]).astype(np.float32)
    for group, scale in enumerate(scales.astype(np.float32).reshape(-1, shape[-1])):
        values[group * GROUP : (group + 1) * GROUP] *= scale
    return values.reshape(shape)
