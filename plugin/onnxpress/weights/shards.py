"""Weights -> shards and back: one stream of encoded tensors, cut into files that any host takes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PackError
from ..files import read_file, write_file
from .compression import compress, decompress
from .encodings import ENCODINGS, Bytes, decode, encode

SHARD_BYTES = 8 << 20  # GitHub refuses files over 100 MiB, Cloudflare Pages over 25 MiB
ALIGN = 16  # bytes: any typed array may view a tensor in place


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as it is stored; see `encodings.encode`."""

    name: str
    shape: tuple[int, ...]
    encoding: str
    values: Bytes
    scales: Bytes = b""


def write_weights(constants: Mapping[str, np.ndarray], encodings: Mapping[str, str],
                  folder: Path) -> dict:
    """The manifest's `weights`, each stored as `encodings` says; shards are written into `folder`
    as they fill.

    The shards are consecutive slices of one stream, each compressed where that pays; a tensor
    starts at `offset` of the unpacked shard `shard` and may run on into the following ones.
    """
    writer, tensors = ShardWriter(folder), []
    for name, array in constants.items():
        used, values, scales = encode(array, encodings[name])
        entry = {"name": name, "shape": list(array.shape), "encoding": used, **writer.add(values)}
        if scales:
            entry["scale"] = writer.add(scales)
        if ENCODINGS[used].group:
            entry["group"] = ENCODINGS[used].group
        tensors.append(entry)
    shards = writer.finish()
    return {"bytes": sum(s["bytes"] for s in shards), "shards": shards, "tensors": tensors}


class ShardWriter:
    """Cuts the contents that are added into files of SHARD_BYTES, before compression."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[dict[str, Any]] = []
        self.buffer = bytearray()

    def add(self, content: Bytes) -> dict[str, int]:
        """Where `content` lies in the unpacked stream: {"shard", "offset", "bytes"}."""
        self._append(bytes(-len(self.buffer) % ALIGN))
        rest = memoryview(content)
        place = {"shard": len(self.entries), "offset": len(self.buffer), "bytes": len(rest)}
        self._append(rest)
        return place

    def finish(self) -> list[dict[str, Any]]:
        """The entries of all files, the last one written."""
        self._append(bytes(-len(self.buffer) % ALIGN))
        if self.buffer:
            self._flush()
        return self.entries

    def _append(self, rest: Bytes) -> None:
        while len(rest):
            room = SHARD_BYTES - len(self.buffer)
            self.buffer += rest[:room]
            rest = rest[room:]
            if len(self.buffer) == SHARD_BYTES:
                self._flush()

    def _flush(self) -> None:
        content, packed = compress(bytes(self.buffer))
        entry = write_file(self.folder, "weights", content, "bin")
        self.entries.append({**entry, "packed": packed} if packed else entry)
        self.buffer.clear()


def read_weights(manifest: Mapping[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """Tensor name -> f32 array, decoded from the published shards.

    Raises:
        PackError: see `stream_weights`.
    """
    return dict(stream_weights(manifest, folder))


def read_steps(manifest: Mapping[str, Any],
               folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Tensor name -> (i8 array, f32 scale per index of its last axis), of those stored in int8.

    Raises:
        PackError: see `stream_weights`.
    """
    stored = {t["name"]: t for t in manifest["weights"]["tensors"] if t["encoding"] == "int8"}
    reader = ShardReader(manifest["weights"]["shards"], folder)
    return {name: (np.frombuffer(reader.read(t), np.int8).reshape(t["shape"]),
                   np.frombuffer(reader.read(t["scale"]), "<f4"))
            for name, t in stored.items()}


def stream_weights(manifest: Mapping[str, Any], folder: Path, steps: Collection[str] = ()
                   ) -> Iterator[tuple[str, np.ndarray]]:
    """Tensor names and f32 arrays one by one, so that nobody needs to hold them all; of tensors
    in `steps`, stored in int8, the whole numbers.

    Raises:
        PackError: a shard is missing, short, or does not have its sha256; or the manifest does not
            describe it.
    """
    for t in stream_stored(manifest, folder):
        if t.name in steps:
            yield t.name, np.frombuffer(t.values, np.int8).reshape(t.shape)
        else:
            yield t.name, decode(t.shape, t.encoding, t.values, t.scales)


def stream_stored(manifest: Mapping[str, Any], folder: Path) -> Iterator[Stored]:
    """Tensors one by one.

    Raises:
        PackError: see `stream_weights`.
    """
    reader = ShardReader(manifest["weights"]["shards"], folder)
    for tensor in manifest["weights"]["tensors"]:
        values = reader.read(tensor)
        scales = reader.read(tensor["scale"]) if "scale" in tensor else b""
        yield Stored(tensor["name"], tuple(tensor["shape"]), tensor["encoding"], values, scales)


class ShardReader:
    """Parts of the unpacked stream. One shard is kept, for parts are asked for in order."""

    def __init__(self, entries: Sequence[Mapping[str, Any]], folder: Path) -> None:
        self.entries, self.folder = entries, folder
        self.index, self.content = -1, b""

    def read(self, part: Mapping[str, int]) -> Bytes:
        """A view where the part lies in one shard, else a copy."""
        shard, offset, size = part["shard"], part["offset"], part["bytes"]
        if not size:
            return b""
        first = self._take(shard, offset, size)
        if len(first) == size:
            return first
        whole = bytearray(first)
        while len(whole) < size:
            shard += 1
            whole += self._take(shard, 0, size - len(whole))
        return whole

    def _take(self, shard: int, offset: int, size: int) -> memoryview:
        if shard != self.index:
            if not 0 <= shard < len(self.entries):
                raise PackError(f"{self.folder}: a tensor lies outside the shards that its "
                                "manifest lists; build the pack again")
            self.index, self.content = shard, self._load(self.entries[shard])
        return memoryview(self.content)[offset : offset + size]

    def _load(self, entry: Mapping[str, Any]) -> bytes:
        content = read_file(entry, self.folder)
        if "packed" not in entry:
            return content
        return decompress(content, entry["packed"], entry["url"])
