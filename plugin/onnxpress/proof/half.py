"""WebGPU programs whose values lie in memory as f16, where that keeps the result.

Only stored values are f16; arithmetic is f32. The build simulates such a program in float64 and
rounds every stored value to f16. A GPU's result differs from that only where f32's own rounding
moves a value across the border between two f16 numbers.

The programs are published beside the programs in f32, where all values fit (trace.f16_range) and
the simulated results pass the gates that rounded weights must pass.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..graph.graph import Graph
from ..ops.conv import Conv2d
from ..ops.interpret import interpret
from ..pack.proof import Tolerance
from ..pack.targets import Webgpu, WebgpuTarget
from ..programs.program import Program, write_builds
from ..programs.webgpu import build as webgpu
from ..programs.webgpu.fit import fit_operands
from ..programs.webgpu.half import half_values
from ..weights.shards import stream_weights
from .golden import MARGIN
from .verify import Expected, Proof, Row, judge_half, peak_error
from .written import Written

Arrays = Mapping[str, np.ndarray]


def add_half(pack: Written, target: WebgpuTarget, graph: Graph, expected: Expected, proof: Proof
             ) -> tuple[WebgpuTarget, Row]:
    """The target with programs in f16, if they hold, and their row.

    The check on a visitor's device compares with the published f32 values, so it admits the error
    that rounding makes here.

    Raises:
        PackError: a shard cannot be read, or a program cannot be written.
    """
    encodings = {t.name: t.encoding for t in pack.weights.tensors}
    program = webgpu.build(graph, encodings=encodings, half=True)
    kept = keep_constants(program, stream_weights(pack.weights, pack.folder))
    got = simulate(replace(graph, constants=kept), expected.inputs)
    row = judge_half(got, expected)
    if not row.holds:
        return target, row
    error = max(peak_error(np.reshape(g, w.shape), w)
                for g, w in zip(got[0], proof.first, strict=True))
    check = Tolerance("peak", float(f"{MARGIN * max(error, expected.tolerance):.3g}"))
    files = {**target.files, **write_builds(program, pack.folder)}
    return replace(target, files=files, checks=dict.fromkeys(program.files, check)), row


def keep_constants(program: Program[Webgpu], constants: Iterable[tuple[str, np.ndarray]]
                   ) -> dict[str, np.ndarray]:
    """`constants` as `program` keeps them in memory. They come one by one, for they may be
    large."""
    halves = {part["tensor"] for content, _ in program.files.values()
              for part in json.loads(content)["weights"] if part["kind"] == "f16"}
    return {name: _half(array) if name in halves else array for name, array in constants}


def simulate(graph: Graph, inputs: Sequence[Arrays]) -> list[list[np.ndarray]]:
    """The outputs of `graph` for each of `inputs`. Results that a program in f16 stores in f16 are
    rounded to it, and so are inputs that it fills up to four channels. The constants of `graph`
    are as `keep_constants` returns them."""
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
