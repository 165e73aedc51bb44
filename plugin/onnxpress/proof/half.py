"""WebGPU programs whose values lie in memory as f16, where that keeps the result.

Their sums and formulas are f32's, so the graph in float64 with every stored value rounded shows
what they give, but for values that f32's own rounding moves over the border of two halves. They
are published beside those in f32 where all values fit (trace.f16_range) and the rounded ones pass
the gates that rounded weights must pass.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..graph.graph import Graph
from ..ops.conv import Conv2d
from ..ops.interpret import interpret
from ..pack.pack import write_program
from ..programs.program import Program
from ..programs.webgpu import build as webgpu
from ..programs.webgpu.fit import fit_operands
from ..programs.webgpu.half import half_values
from ..weights.shards import stream_weights
from .golden import MARGIN
from .verify import Expected, Proof, judge_half, peak_error

Arrays = Mapping[str, np.ndarray]


def add_half(manifest: Mapping[str, Any], folder: Path, graph: Graph, expected: Expected,
             proof: Proof) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest of the pack in `folder`, with programs in f16 if they hold, and their row.

    The check on the visitor's device compares with the published f32 values, so it admits what
    rounding costs here.
    """
    encodings = {t["name"]: t["encoding"] for t in manifest["weights"]["tensors"]}
    program = webgpu.build(graph, encodings=encodings, half=True)
    kept = keep_constants(program, stream_weights(manifest, folder))
    got = simulate(replace(graph, constants=kept), expected.inputs)
    row = judge_half(got, expected)
    if not row["holds"]:
        return dict(manifest), row
    error = max(peak_error(np.reshape(g, w.shape), w)
                for g, w in zip(got[0], proof.first, strict=True))
    check = {"metric": "peak",
             "tolerance": float(f"{MARGIN * max(error, expected.tolerance):.3g}")}
    targets = manifest["targets"]
    files = {**targets["webgpu"]["files"], **write_program(program, folder)}
    both = {**targets["webgpu"], "files": files, "checks": dict.fromkeys(program.files, check)}
    return {**manifest, "targets": {**targets, "webgpu": both}}, row


def keep_constants(program: Program, constants: Iterable[tuple[str, np.ndarray]]
                   ) -> dict[str, np.ndarray]:
    """`constants` as `program` keeps them in memory; one at a time, for they may be large."""
    halves = {part["tensor"] for content, _ in program.files.values()
              for part in json.loads(content)["weights"] if part["kind"] == "f16"}
    return {name: _half(array) if name in halves else array for name, array in constants}


def simulate(graph: Graph, inputs: Sequence[Arrays]) -> list[list[np.ndarray]]:
    """The outputs of `graph`, whose constants are as its program keeps them, for each of `inputs`,
    with results rounded that are kept in f16, and images that are filled up to four channels."""
    graph = fit_operands(graph)
    roots = webgpu.roots_of(graph)
    held = half_values(graph, roots)
    thin = {roots[n.inputs[0]][0] for n in graph.nodes
            if isinstance(n.attrs, Conv2d) and graph.shape(n.inputs[1])[2] % 4}

    def run(feeds: Arrays) -> list[np.ndarray]:
        given = {n: _half(a) if n in thin else a for n, a in feeds.items()}
        return list(interpret(graph, given, keep=lambda n, a: _half(a) if n in held else a)
                    .values())

    return [run(feeds) for feeds in inputs]


def _half(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(array.dtype)
