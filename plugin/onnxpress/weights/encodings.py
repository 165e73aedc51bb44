"""How weights are stored: f32 tensor -> bytes, and back to the f32 values that every target uses.

`ENCODINGS` has one row for each way, the largest first; a pack may also choose by itself (`AUTO`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

PLAIN = "f32"  # the encoding that changes nothing
AUTO = "auto"  # the smallest encoding whose proof holds
SMALL = 4096  # elements: biases and tables stay f32, they weigh nothing and round badly
LARGE = 1 << 16  # elements: below it four bits save little and cost much
GROUP = 32  # consecutive weights of an output channel that share a 4-bit scale, as in GGML's Q4_0
HALF_ULP = 2.0**-11  # relative error of rounding to f16's normal numbers
PIECE = 1 << 20  # elements converted at a time: a large matrix fits memory once, not three times

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Encoding:
    """One way to store a tensor of f32[..., columns].

    `bits` of one value. `encode` gives (values, scales), `decode(shape, values, scales)` takes them
    back. `admits` says whether a tensor may be stored so; if not, it is stored in `finer`, and
    `refusal` is the end of the note on it. `scales`: the encoding of the scales, if it has any;
    `group`: rows of a column that share one, 0 for all rows. `relief`: the encoding of the few
    matrices that this one would harm most.
    """

    name: str
    bits: int
    encode: Callable[[np.ndarray], tuple[Bytes, Bytes]]
    decode: Callable[[tuple[int, ...], Bytes, Bytes], np.ndarray]
    admits: Callable[[np.ndarray], bool] = lambda array: True
    finer: str = PLAIN
    refusal: str = ""
    scales: str | None = None
    group: int = 0
    relief: str | None = None


def plan(constants: Mapping[str, np.ndarray], encoding: str) -> dict[str, str]:
    """Tensor name -> how it is stored in a pack of `encoding`: as that says, or finer where the
    tensor is small or does not fit."""
    return {name: _of(array, encoding) for name, array in constants.items()}


def _of(array: np.ndarray, encoding: str) -> str:
    if array.ndim and array.size > array.shape[-1] and is_int8(array):
        return "int8"  # without loss
    if array.size < SMALL or array.ndim < 2:
        return PLAIN
    while not ENCODINGS[encoding].admits(array):
        encoding = ENCODINGS[encoding].finer
    return encoding


def encode(array: np.ndarray, encoding: str) -> tuple[str, Bytes, Bytes]:
    """(`encoding`, values, scales) of a canonical f32 tensor; values in f32 are a view of it."""
    return encoding, *ENCODINGS[encoding].encode(np.ascontiguousarray(array, dtype="<f4"))


def decode(shape: Iterable[int], encoding: str, values: Bytes, scales: Bytes) -> np.ndarray:
    """The f32 tensor that every target computes with; the inverse of `encode`."""
    return ENCODINGS[encoding].decode(tuple(shape), values, scales)


def round_trip(array: np.ndarray, encoding: str) -> np.ndarray:
    """The values that every target computes with if `array` is stored in `encoding`."""
    return decode(array.shape, *encode(array, encoding))


def most_scales(shape: tuple[int, ...]) -> int:
    """How many scales a tensor may have, however it is stored."""
    columns = shape[-1] if shape else 1
    return columns * -(-prod(shape) // (max(columns, 1) * GROUP))


def pieces(array: np.ndarray) -> Iterator[slice]:
    """Slices of the first axis, of about PIECE elements each."""
    count = max(1, PIECE * len(array) // max(array.size, 1))
    return (slice(at, at + count) for at in range(0, len(array), count))


def is_int8(array: np.ndarray) -> bool:
    """Whether all elements are whole numbers from -127 to 127."""
    return all(np.abs(array[s]).max(initial=0) <= 127 and (array[s] == np.rint(array[s])).all()
               for s in pieces(array))


def fits_f16(array: np.ndarray) -> bool:
    """Whether the tensor keeps f16's 11 bits of precision: no element overflows, and the error of
    elements that become subnormal or 0 is small against the whole tensor."""
    errors = norms = 0.0
    for part in pieces(array):
        exact = array[part].astype(np.float64)
        with np.errstate(over="ignore"):
            error = array[part].astype(np.float16) - exact
        errors += float(np.square(error).sum())
        norms += float(np.square(exact).sum())
    return errors <= HALF_ULP**2 * norms


def _fits_int4(array: np.ndarray) -> bool:
    return (array.size >= LARGE
            and bool(np.abs(array).max() / 8 <= np.finfo(np.float16).max))


def _encode_f32(flat: np.ndarray) -> tuple[Bytes, Bytes]:
    return flat.reshape(-1).view(np.uint8).data, b""


def _decode_f32(shape: tuple[int, ...], values: Bytes, scales: Bytes) -> np.ndarray:
    return np.frombuffer(values, "<f4").reshape(shape)


def _encode_f16(flat: np.ndarray) -> tuple[Bytes, Bytes]:
    return flat.astype("<f2").tobytes(), b""


def _decode_f16(shape: tuple[int, ...], values: Bytes, scales: Bytes) -> np.ndarray:
    return np.frombuffer(values, "<f2").astype(np.float32).reshape(shape)


def _encode_int8(flat: np.ndarray) -> tuple[Bytes, Bytes]:
    """Symmetric per last axis (output channel), scale f32[columns] = max|w| / 127; whole numbers
    that fit have scale 1, which is lossless."""
    rows = flat.reshape(-1, flat.shape[-1])
    if is_int8(rows):
        return rows.astype(np.int8).tobytes(), np.ones(rows.shape[1], "<f4").tobytes()
    largest = np.maximum(rows.max(axis=0), -rows.min(axis=0))
    scale = np.maximum(largest, np.float32(1e-30)) / np.float32(127)
    values = np.empty(rows.shape, np.int8)
    for part in pieces(rows):
        values[part] = np.rint(rows[part] / scale)
    return values.tobytes(), scale.astype("<f4").tobytes()


def _decode_int8(shape: tuple[int, ...], values: Bytes, scales: Bytes) -> np.ndarray:
    scale = np.frombuffer(scales, "<f4")
    flat = np.frombuffer(values, np.int8).reshape(-1, len(scale)).astype(np.float32)
    flat *= scale
    return flat.reshape(shape)


def _encode_int4(flat: np.ndarray) -> tuple[Bytes, Bytes]:
    """Symmetric per GROUP rows of a column, rows being all axes but the last: the value of greatest
    magnitude is -8 of an f16 scale (GGML's Q4_0). Two values a byte in C order, the first in the
    low bits; scales f16[groups, columns]."""
    rows = flat.reshape(-1, flat.shape[-1])
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


def _decode_int4(shape: tuple[int, ...], values: Bytes, scales: Bytes) -> np.ndarray:
    packed = np.frombuffer(values, np.uint8)
    nibbles = np.stack((packed & 15, packed >> 4), axis=1).ravel()[: int(np.prod(shape))]
    whole = ((nibbles ^ 8).astype(np.int8) - np.int8(8)).reshape(-1, shape[-1]).astype(np.float32)
    factors = np.frombuffer(scales, "<f2").astype(np.float32).reshape(-1, shape[-1])
    for group, scale in enumerate(factors):
        whole[group * GROUP : (group + 1) * GROUP] *= scale
    return whole.reshape(shape)


ENCODINGS: Mapping[str, Encoding] = {encoding.name: encoding for encoding in (
    Encoding(PLAIN, 32, _encode_f32, _decode_f32),
    Encoding("f16", 16, _encode_f16, _decode_f16, fits_f16,
             refusal="do not fit f16; they stay in f32"),
    Encoding("int8", 8, _encode_int8, _decode_int8, scales=PLAIN, relief="f16"),
    Encoding("int4", 4, _encode_int4, _decode_int4, _fits_int4, finer="int8", scales="f16",
             group=GROUP),
)}
WEIGHTS = (*ENCODINGS, AUTO)  # the choices of a spec
