"""The encoding of a pack's weights: the one asked for, or the smallest whose proof holds."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..graph.graph import Graph
from ..pack.pack import write_pack
from ..programs.program import Program
from ..programs.webgpu import build as webgpu
from ..weights.encodings import AUTO, ENCODINGS, PLAIN, plan, round_trip
from .calibrate import correct_biases
from .sensitivity import keep_sensitive
from .verify import Expected, Proof, Row, prove

ORDER = tuple(reversed(ENCODINGS))  # smallest first
Note = Callable[[str, str], None]


@dataclass(frozen=True)
class Candidate:
    """One way to store the weights: `encodings` by tensor, `reason` why some differ."""

    encoding: str
    encodings: Mapping[str, str]
    reason: str = ""


def choose(graph: Graph, programs: Sequence[Program], weights: str, folder: Path,
           expected: Expected, means: Mapping[str, np.ndarray], note: Note,
           progress: Callable[[str], None] = lambda stage: None) -> tuple[dict, Proof]:
    """The manifest so far and its proof, in the encoding `weights` or, if that is "auto", the
    smallest that holds; where none does, the last one, for `verify.require` to refuse. Files are in
    `folder`; what was tried stands in the manifest's weights.

    `means`: see Trace; they correct the biases of layers whose weights are rounded.
    """
    tried: list[dict[str, Any]] = []
    for candidate in _candidates(graph, programs, weights, expected, means):
        progress(f"proving {candidate.encoding}")
        with tempfile.TemporaryDirectory(prefix=".trial-", dir=folder) as name:
            trial = Path(name)
            manifest = write_pack(_corrected(graph, candidate.encodings, means),
                                  _reading(programs, graph, candidate.encodings),
                                  candidate.encodings, trial)
            proof = prove(manifest, trial, graph, expected)
            row = next((r for r in proof.rows if not r.holds), proof.rows[-1])
            tried.append(_tried(candidate, manifest["weights"]["bytes"], row))
            if row.holds:
                for file in trial.iterdir():
                    file.replace(folder / file.name)
                break
    _note_exceptions(graph, candidate, note)
    manifest["weights"] = {"encoding": candidate.encoding, "tried": tried, **manifest["weights"]}
    return manifest, proof


def _candidates(graph: Graph, programs: Sequence[Program], weights: str, expected: Expected,
                means: Mapping[str, np.ndarray]) -> Iterator[Candidate]:
    """In the order in which they are tried; the next one is made if that before does not hold."""
    for encoding in ORDER if weights == AUTO else (weights,):
        encodings = plan(graph.constants, encoding)
        if encoding not in (*encodings.values(), weights, ORDER[-1]):
            continue  # no tensor is large enough for it
        yield Candidate(encoding, encodings)
        wasm = next((p for p in programs if p.target == "wasm"), None)
        relief = ENCODINGS[encoding].relief
        if relief and wasm:
            finer = keep_sensitive(graph, wasm, encodings, (encoding, relief), expected, means)
            if finer:
                kept = sum(finer[n] != e for n, e in encodings.items())
                whole = sum(e == encoding for e in encodings.values())
                yield Candidate(encoding, finer, f"{kept} of {whole} matrices stay in {relief}")


def _corrected(graph: Graph, encodings: Mapping[str, str],
               means: Mapping[str, np.ndarray]) -> Graph:
    """The graph with biases that make up for the rounding of the weights."""
    biases = correct_biases(graph, lambda n: round_trip(graph.constants[n], encodings[n]), means)
    return replace(graph, constants={**graph.constants, **biases})


def _reading(programs: Sequence[Program], graph: Graph, encodings: Mapping[str, str]
             ) -> list[Program]:
    """The programs for weights stored so: WebGPU's decode them in their shaders."""
    if set(encodings.values()) <= {PLAIN}:
        return list(programs)
    return [webgpu.build(graph, encodings=encodings) if p.target == "webgpu" else p
            for p in programs]


def _tried(candidate: Candidate, size: int, row: Row) -> dict[str, Any]:
    value = getattr(row, row.judged)
    return {"encoding": candidate.encoding, "bytes": size, "holds": row.holds,
            "judged": row.judged, "value": float(f"{value:.4g}"), "limit": row.limit,
            "same_top1": row.same_top1, "reason": candidate.reason}


def _note_exceptions(graph: Graph, chosen: Candidate, note: Note) -> None:
    """Names the layers whose weights are stored otherwise than the pack's encoding says."""
    readers = graph.consumers()
    usual, wanted = plan(graph.constants, chosen.encoding), ENCODINGS[chosen.encoding]
    for name, array in graph.constants.items():
        layer = readers[name][0].name if readers[name] else name
        if chosen.encodings[name] != usual[name]:
            note(layer, f"its weights stay in {chosen.encodings[name]}: they are what "
                        f"{chosen.encoding} harms most for their size")
        elif (wanted.refusal and chosen.encodings[name] == wanted.finer
              and not wanted.admits(array)):
            note(layer, f"its weights, up to {np.abs(array).max():.3g}, {wanted.refusal}")
