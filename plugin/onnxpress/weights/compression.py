"""A shard as it travels: bytes of equal significance side by side, the higher ones deflated.

Only runs and Huffman codes are used (Z_RLE). Weights repeat in values, not in sequences, so they
are as small without the search for matches; and the search is where versions of zlib differ, while
these bytes are the same from zlib 1.2 and zlib-ng: demos/about/decisions/0007-compressed-shards.md.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import PackError

PLANES = (1, 2, 4)  # bytes per value: int8, f16, f32
LEAST_SAVING = 1 / 8  # of a plane's bytes; less is not worth the time to inflate, at every visit
PLANES_SAVING = 1 / 128  # of a shard's, for putting planes together again; per doubling of them
MAX_RATIO = 1032  # deflate cannot do better: 258 bytes from 2 bits


def compress(content: bytes) -> tuple[bytes, dict[str, int] | None]:
    """(what is published, the entry's "packed"); (content, None) where that hardly saves anything.
    The length of `content` is a multiple of 4."""
    _, planes, raw, deflated = max(_gain(content, planes) for planes in PLANES)
    if raw == planes:
        return content, None
    flat, head = _split(content, planes), raw * len(content) // planes
    rest = deflated[0] if len(deflated) == 1 else _deflate(flat[head:])
    return flat[:head] + rest, {"bytes": len(content), "planes": planes, "raw": raw}


def _gain(content: bytes, planes: int) -> tuple[float, int, int, list[bytes]]:
    """(bytes saved beyond what that work is worth, `planes`, how many lower ones stay raw, each of
    the others deflated)."""
    flat, size = _split(content, planes), len(content) // planes
    deflated = [_deflate(flat[at : at + size]) for at in range(0, len(flat), size)]
    gains = [(1 - LEAST_SAVING) * size - len(plane) for plane in deflated]
    raw = next((i for i, gain in enumerate(gains) if gain > 0), planes)
    cost = (planes.bit_length() - 1) * PLANES_SAVING * len(content)
    return sum(gains[raw:]) - cost, planes, raw, deflated[raw:]


def decompress(content: bytes, packed: Mapping[str, Any], where: str) -> bytes:
    """The inverse of `compress`; never longer than `packed` says.

    Raises:
        PackError: the manifest does not describe `content`.
    """
    size, planes, raw = (packed.get(key) for key in ("bytes", "planes", "raw"))
    wrong = PackError(f"{where}: it does not unpack to the {size} bytes that the manifest "
                      "promises; build the pack again")
    if planes not in PLANES or raw not in range(planes) or not isinstance(size, int) or (
            size % planes or not 0 < size <= MAX_RATIO * len(content)):
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
    """The first byte of every value, then the second ones, and so on."""
    if planes == 1:
        return content
    return np.frombuffer(content, np.uint8).reshape(-1, planes).T.tobytes()


def _deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return stream.compress(content) + stream.flush()
