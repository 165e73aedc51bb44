"""Weights -> shards and back: one stream of encoded tensors, cut into files that any host takes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from ..errors import PackError
from ..files import read_file, write_file
from ..pack.weights import EncodingName, Part, Shard, Weights, WeightTensor
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
                  folder: Path) -> Weights:
    """The constants, each stored in its encoding; shards are written into `folder` as they fill.

    The shards are consecutive slices of one stream, and each is compressed where that pays. A
    tensor starts at `offset` of the unpacked shard `shard` and may run on into the following ones.

    Raises:
        PackError: a shard cannot be written.
    """
    writer, tensors = ShardWriter(folder), []
    for name, array in constants.items():
        used, values, scales = encode(array, encodings[name])
        at = writer.add(values)
        tensors.append(WeightTensor(
            name=name, shape=tuple(array.shape), encoding=cast(EncodingName, used), shard=at.shard,
            offset=at.offset, bytes=at.bytes, scale=writer.add(scales) if scales else None,
            group=ENCODINGS[used].group or None))
    shards = writer.finish()
    return Weights(bytes=sum(s.bytes for s in shards), shards=tuple(shards), tensors=tuple(tensors))


class ShardWriter:
    """Cuts the contents that are added into files of SHARD_BYTES, before compression."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards: list[Shard] = []
        self.buffer = bytearray()

    def add(self, content: Bytes) -> Part:
        """Where `content` lies in the unpacked stream."""
        self._append(bytes(-len(self.buffer) % ALIGN))
        rest = memoryview(content)
        place = Part(len(self.shards), len(self.buffer), len(rest))
        self._append(rest)
        return place

    def finish(self) -> list[Shard]:
        """All shards; the last one is written now."""
        self._append(bytes(-len(self.buffer) % ALIGN))
        if self.buffer:
            self._flush()
        return self.shards

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
        self.shards.append(Shard(entry.url, entry.bytes, entry.sha256, packed))
        self.buffer.clear()


def read_weights(weights: Weights, folder: Path) -> dict[str, np.ndarray]:
    """Tensor name -> f32 array, decoded from the published shards.

    Raises:
        PackError: see `stream_weights`.
    """
    return dict(stream_weights(weights, folder))


def read_steps(weights: Weights, folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name of a tensor that is stored in int8 -> (i8 array, f32 scale per index of its last axis).

    Raises:
        PackError: see `stream_weights`.
    """
    reader = ShardReader(weights.shards, folder)
    return {t.name: (np.frombuffer(reader.read(t.part), np.int8).reshape(t.shape),
                     np.frombuffer(reader.read(t.scale), "<f4"))
            for t in weights.tensors if t.encoding == "int8" and t.scale}


def stream_weights(weights: Weights, folder: Path, steps: Collection[str] = ()
                   ) -> Iterator[tuple[str, np.ndarray]]:
    """Tensor names and f32 arrays one by one, so that nobody needs to hold them all. The tensors in
    `steps`, which are stored in int8, come as whole numbers.

    Raises:
        PackError: a shard is missing, short, or does not have its sha256; or the manifest does not
            describe it.
    """
    for t in stream_stored(weights, folder):
        if t.name in steps:
            yield t.name, np.frombuffer(t.values, np.int8).reshape(t.shape)
        else:
            yield t.name, decode(t.shape, t.encoding, t.values, t.scales)


def stream_stored(weights: Weights, folder: Path) -> Iterator[Stored]:
    """Tensors one by one.

    Raises:
        PackError: see `stream_weights`.
    """
    reader = ShardReader(weights.shards, folder)
    for t in weights.tensors:
        values = reader.read(t.part)
        scales = reader.read(t.scale) if t.scale else b""
        yield Stored(t.name, t.shape, t.encoding, values, scales)


class ShardReader:
    """Parts of the unpacked stream. One shard is kept, for parts are asked for in order."""

    def __init__(self, shards: Sequence[Shard], folder: Path) -> None:
        self.shards, self.folder = shards, folder
        self.index, self.content = -1, b""

    def read(self, part: Part) -> Bytes:
        """A view where the part lies in one shard, else a copy."""
        shard, offset, size = part.shard, part.offset, part.bytes
        if not size:
            return b""
        first = self._take(shard, offset, size)
        if len(first) == size:
            return first
        whole = bytearray(first)
        while len(whole) < size:
            shard += 1
            whole += self._take(shard, 0, size - len(whole))
        return memoryview(whole)

    def _take(self, shard: int, offset: int, size: int) -> memoryview:
        if shard != self.index:
            if not 0 <= shard < len(self.shards):
                raise PackError(f"{self.folder}: a tensor lies outside the shards that its "
                                "manifest lists; build the pack again")
            self.index, self.content = shard, self._load(self.shards[shard])
        return memoryview(self.content)[offset : offset + size]

    def _load(self, shard: Shard) -> bytes:
        content = read_file(shard, self.folder)
        return decompress(content, shard.packed, shard.url) if shard.packed else content
