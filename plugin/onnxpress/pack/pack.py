"""Programs + weights -> a folder of content-hashed files and a manifest.

Weights are stored once, in the graph's own order, in shards that every target shares; names carry
the hash of the content, so equal files are equal names on any page and in any version of a site.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import json_bytes, write_atomically, write_file
from ..graph.graph import Graph
from ..programs.program import Program
from ..weights.shards import write_weights

FORMAT = 1


@dataclass(frozen=True)
class Pack:
    """A finished folder. `files` are what a page loads, the manifest included."""

    folder: Path
    manifest: Mapping[str, Any]
    files: tuple[Path, ...]


def write_pack(graph: Graph, programs: Iterable[Program], encodings: Mapping[str, str],
               folder: Path) -> dict:
    """The manifest so far: inputs, outputs, weights (stored as `encodings` says by name) and
    targets, whose files are in `folder`."""
    weights = write_weights(graph.constants, encodings, folder)
    targets = {p.target: {"files": write_program(p, folder), **p.about} for p in programs}
    describe = lambda n: {"name": n, "shape": list(graph.shape(n)),  # noqa: E731
                          "dtype": graph.values[n].dtype}
    return {
        "onnxpress": FORMAT,
        "inputs": [describe(n) for n in graph.inputs],
        "outputs": [describe(n) for n in graph.outputs],
        "weights": weights,
        "targets": targets,
    }


def write_program(program: Program, folder: Path) -> dict[str, dict]:
    """Build -> the manifest's entry of its file, which is in `folder`; equal builds share one."""
    return {build: write_file(folder, program.target, content, suffix)
            for build, (content, suffix) in program.files.items()}


def write_manifest(manifest: Mapping[str, Any], folder: Path) -> Path:
    path = folder / "manifest.json"
    write_atomically(path, json_bytes(manifest))
    return path
