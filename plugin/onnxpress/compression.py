"""A shard as it travels: bytes of equal significance side by side, then deflate.

Only runs and Huffman codes are used (Z_RLE). Weights repeat in values, not in sequences, so they
are as small without the search for matches; and the search is where versions of zlib differ, while
these bytes are the same from zlib 1.2 and zlib-ng: demos/about/decisions/0007-compressed-shards.md.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import PackError

PLANES = (1, 2, 4)  # bytes per value: int8, f16, f32
LEAST_SAVING = 1 / 16  # of a shard's bytes; less is not worth a slow phone's time to inflate
PLANES_SAVING = 1 / 128  # the same for putting planes together again; per doubling of them
MAX_RATIO = 1032  # deflate cannot do better: 258 bytes from 2 bits


def compress(content: bytes) -> tuple[bytes, dict[str, int] | None]:
    """(what is published, the entry's "packed"); (content, None) where that hardly saves anything.
    The length of `content` is a multiple of 4."""
    tries = ((_deflate(_split(content, planes)), planes) for planes in PLANES)
    packed, planes = min(tries, key=lambda one: (
        len(one[0]) + one[1].bit_length() * PLANES_SAVING * len(content)))
    if len(packed) > (1 - LEAST_SAVING) * len(content):
        return content, None
    return packed, {"bytes": len(content), "planes": planes}


def decompress(content: bytes, packed: Mapping[str, Any], where: str) -> bytes:
    """The inverse of `compress`; never longer than `packed` says.

    Raises:
        PackError: the manifest does not describe `content`.
    """
    size, planes = packed.get("bytes"), packed.get("planes")
    wrong = PackError(f"{where}: it does not unpack to the {size} bytes that the manifest "
                      "promises; build the pack again")
    if planes not in PLANES or not isinstance(size, int) or size % planes or not (
            0 < size <= MAX_RATIO * len(content)):
        raise wrong
    try:
        flat = zlib.decompressobj().decompress(content, size + 1)
    except zlib.error:
        raise wrong from None
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
