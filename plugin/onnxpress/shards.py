"""Weights -> shards and back: one stream of encoded tensors, cut into files that any host takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .encodings import decode, encode
from .files import read_file, write_file

SHARD_BYTES = 8 << 20  # GitHub refuses files over 100 MiB, Cloudflare Pages over 25 MiB
ALIGN = 16  # bytes: any typed array may view a tensor in place


def write_weights(constants: Mapping[str, np.ndarray], encoding: str, folder: Path) -> dict:
    """The manifest's `weights`; shards are written into `folder`.

    The shards are consecutive slices of one stream; a tensor starts at `offset` of shard `shard`
    and may run on into the following ones.
    """
    tensors, shards, stream, base = [], [], bytearray(), 0
    for name, array in constants.items():
        used, values, scales = encode(array, encoding)
        at = _append(stream, values)
        entry = {"name": name, "shape": list(array.shape), "encoding": used,
                 "position": base + at, "bytes": len(values)}
        if scales:
            entry["scale"] = {"position": base + _append(stream, scales), "bytes": len(scales)}
        tensors.append(entry)
        while len(stream) >= SHARD_BYTES:
            shards.append(write_file(folder, "weights", bytes(stream[:SHARD_BYTES]), "bin"))
            del stream[:SHARD_BYTES]
            base += SHARD_BYTES
    if stream:
        shards.append(write_file(folder, "weights", bytes(stream), "bin"))
    for entry in tensors:
        for part in (entry, entry.get("scale")):
            if part:
                part["shard"], part["offset"] = divmod(part.pop("position"), SHARD_BYTES)
    return {"bytes": sum(s["bytes"] for s in shards), "shards": shards, "tensors": tensors}


def _append(stream: bytearray, content: bytes) -> int:
    """The aligned position at which `content` now lies."""
    stream.extend(bytes(-len(stream) % ALIGN))
    at = len(stream)
    stream.extend(content)
    return at


def read_weights(manifest: Mapping[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """Tensor name -> f32 array, decoded from the published shards.

    Raises:
        PackError: a shard is missing, short, or does not have its sha256.
    """
    stream = bytearray()
    for shard in manifest["weights"]["shards"]:
        stream += read_file(shard, folder)
    starts, total = [], 0
    for shard in manifest["weights"]["shards"]:
        starts.append(total)
        total += shard["bytes"]

    def part(entry: Mapping[str, int] | None) -> bytes:
        if not entry:
            return b""
        at = starts[entry["shard"]] + entry["offset"]
        return bytes(stream[at : at + entry["bytes"]])

    return {t["name"]: decode(t["shape"], t["encoding"], part(t), part(t.get("scale")))
            for t in manifest["weights"]["tensors"]}
