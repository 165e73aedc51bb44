"""Programs + weights -> a folder of content-hashed files and a manifest.

Weights are stored once, in the graph's own order, in shards that every target shares; names carry
the hash of the content, so equal files are equal names on any page and in any version of a site.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .emit.program import Program
from .errors import PackError
from .graph import Graph

FORMAT = 1
SHARD_BYTES = 8 << 20  # GitHub refuses files over 100 MiB, Cloudflare Pages over 25 MiB
ALIGN = 16  # bytes: any typed array may view a tensor in place
SMALL = 4096  # elements: biases and tables stay f32, they weigh nothing and round badly
F16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Pack:
    """A finished folder. `files` are what a page loads, the manifest included."""

    folder: Path
    manifest: Mapping[str, Any]
    files: tuple[Path, ...]


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


def write_file(folder: Path, stem: str, content: bytes, suffix: str) -> dict:
    """{"url", "bytes", "sha256"} of the file `stem`-HASH.`suffix`, written whole or not at all."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"{stem}-{digest[:12]}.{suffix}"
    write_atomically(folder / name, content)
    return {"url": name, "bytes": len(content), "sha256": digest}


def write_atomically(path: Path, content: bytes) -> None:
    """Puts `content` at `path` in one step; a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PackError(f"{path}: cannot be written: {error.strerror}") from error


def write_pack(graph: Graph, programs: Iterable[Program], encoding: str, folder: Path) -> dict:
    """The manifest so far: inputs, outputs, weights and targets, whose files are in `folder`."""
    weights = write_weights(graph.constants, encoding, folder)
    targets = {}
    for program in programs:
        files = {build: write_file(folder, f"{program.target}-{build}", content, suffix)
                 for build, (content, suffix) in program.files.items()}
        targets[program.target] = {"files": files, **program.about}
    describe = lambda n: {"name": n, "shape": list(graph.shape(n)),  # noqa: E731
                          "dtype": graph.values[n].dtype}
    return {
        "onnxpress": FORMAT,
        "inputs": [describe(n) for n in graph.inputs],
        "outputs": [describe(n) for n in graph.outputs],
        "weights": weights,
        "targets": targets,
    }


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


def read_file(entry: Mapping[str, Any], folder: Path) -> bytes:
    """The content of a manifest's file entry, checked against its sha256."""
    path = folder / entry["url"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackError(f"{path}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise PackError(f"{path}: its sha256 is not the manifest's; build the pack again")
    return content


def write_manifest(manifest: Mapping[str, Any], folder: Path) -> Path:
    path = folder / "manifest.json"
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    write_atomically(path, text.encode())
    return path
