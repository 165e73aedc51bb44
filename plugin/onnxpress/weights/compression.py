"""Compression of shards: bytes are grouped by significance, and the higher groups are deflated.

A plane holds the same byte of every value: the first byte of each, then the second, and so on. The
higher planes repeat few byte values. Deflate uses only runs and Huffman codes (Z_RLE), since values
repeat in weights, not sequences. A search for sequences would save nothing, and its result differs
between versions of zlib; without it zlib 1.2 and zlib-ng write the same bytes.

Source of all numbers here: demos/about/decisions/0007-compressed-shards.md.
"""

import zlib
from typing import Literal

import numpy as np

from ..errors import PackError
from ..pack.weights import Packed

Planes = Literal[1, 2, 4]
PLANES: tuple[Planes, ...] = (1, 2, 4)  # bytes per value: int8, f16, f32
LEAST_SAVING = 1 / 8  # of a plane's bytes; a smaller saving is not worth the time to inflate
PLANES_SAVING = 1 / 128  # of a shard's bytes; joining twice as many planes must save as much more
MAX_RATIO = 1032  # deflate's best: 258 bytes from 2 bits


def compress(content: bytes) -> tuple[bytes, Packed | None]:
    """(bytes to publish, how they unpack), or (content, None) if compression saves too little.
    The length of `content` is a multiple of 4."""
    _, planes, raw, deflated = max(_gain(content, planes) for planes in PLANES)
    if raw == planes:
        return content, None
    flat, head = _split(content, planes), raw * len(content) // planes
    rest = deflated[0] if len(deflated) == 1 else _deflate(flat[head:])
    return flat[:head] + rest, Packed(len(content), planes, raw)


def _gain(content: bytes, planes: Planes) -> tuple[float, Planes, int, list[bytes]]:
    """(bytes saved beyond LEAST_SAVING and PLANES_SAVING, `planes`, number of lower planes that
    stay raw, each of the other planes deflated)."""
    flat, size = _split(content, planes), len(content) // planes
    deflated = [_deflate(flat[at : at + size]) for at in range(0, len(flat), size)]
    gains = [(1 - LEAST_SAVING) * size - len(plane) for plane in deflated]
    raw = next((i for i, gain in enumerate(gains) if gain > 0), planes)
    cost = (planes.bit_length() - 1) * PLANES_SAVING * len(content)
    return sum(gains[raw:]) - cost, planes, raw, deflated[raw:]


def decompress(content: bytes, packed: Packed, where: str) -> bytes:
    """The inverse of `compress`; never longer than `packed` says.

    Raises:
        PackError: `packed` does not describe `content`.
    """
    size, planes, raw = packed.bytes, packed.planes, packed.raw
    wrong = PackError(f"{where}: it does not unpack to the {size} bytes that the manifest "
                      "promises; build the pack again")
    if not (isinstance(size, int) and isinstance(planes, int) and isinstance(raw, int)) or (
            planes not in PLANES or raw not in range(planes) or size % planes
            or not 0 < size <= MAX_RATIO * len(content)):
        raise wrong
    head = raw * size // planes
    try:
        rest = zlib.decompressobj().decompress(content[head:], size - head + 1)
    except zlib.error:
        raise wrong from None
    flat = content[:head] + rest
    if len(flat) != size:
        raise wrong
    return flat if planes == 1 else np.frombuffer(flat, np.uint8).reshape(planes, -1).T.tobytes()


def _split(content: bytes, planes: int) -> bytes:
    """The planes of `content`, lowest first."""
    if planes == 1:
        return content
    return np.frombuffer(content, np.uint8).reshape(-1, planes).T.tobytes()


def _deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return stream.compress(content) + stream.flush()
