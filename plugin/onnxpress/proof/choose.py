"""The encoding of a pack's weights: the one asked for, or the smallest whose proof holds."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from ..graph.graph import Graph
from ..graph.notes import AddNote
from ..pack.targets import Wasm
from ..pack.weights import EncodingName, Tried
from ..programs.program import AnyProgram, Program
from ..programs.webgpu import build as webgpu
from ..weights.encodings import AUTO, ENCODINGS, PLAIN, plan, round_trip
from .calibrate import correct_biases
from .sensitivity import keep_sensitive
from .verify import Expected, Proof, Row, prove
from .written import Written, write

ORDER = tuple(reversed(list(ENCODINGS)))  # smallest first
Means = Mapping[str, np.ndarray]  # see Trace


@dataclass(frozen=True)
class Candidate:
    """One way to store the weights: `encodings` by tensor, `reason` why some differ."""

    encoding: str
    encodings: Mapping[str, str]
    reason: str = ""


@dataclass(frozen=True)
class Attempt:
    """A candidate as files, and their proof."""

    candidate: Candidate
    written: Written
    proof: Proof
    tried: Tried


def choose(graph: Graph, programs: Sequence[AnyProgram], weights: str, folder: Path,
           expected: Expected, means: Means, note: AddNote,
           progress: Callable[[str], None] = lambda stage: None) -> tuple[Written, Proof]:
    """The pack's files in `folder` and their proof, in the encoding `weights` or, if that is
    "auto", the smallest encoding that holds. Where none holds, the proof is the last one's, which
    `verify.require` refuses, and `folder` stays empty.

    `means` correct the biases of layers whose weights are rounded.

    Raises:
        PackError: a file cannot be written.
    """
    attempts: list[Attempt] = []
    for candidate in _candidates(graph, programs, weights, expected, means):
        progress(f"proving {candidate.encoding}")
        with tempfile.TemporaryDirectory(prefix=".trial-", dir=folder) as name:
            attempts.append(_attempt(candidate, graph, programs, Path(name), expected, means))
            if attempts[-1].tried.holds:
                for file in Path(name).iterdir():
                    file.replace(folder / file.name)
                break
    chosen = attempts[-1]
    _note_exceptions(graph, chosen.candidate, note)
    stored = replace(chosen.written.weights, encoding=chosen.tried.encoding,
                     tried=tuple(attempt.tried for attempt in attempts))
    return Written(folder, stored, chosen.written.targets), chosen.proof


def _candidates(graph: Graph, programs: Sequence[AnyProgram], weights: str, expected: Expected,
                means: Means) -> Iterator[Candidate]:
    """At least one candidate, in the order of trial. The next one is made only if the one before it
    does not hold."""
    for encoding in ORDER if weights == AUTO else (weights,):
        encodings = plan(graph.constants, encoding)
        if encoding not in (*encodings.values(), weights, ORDER[-1]):
            continue  # no tensor is large enough for it
        yield Candidate(encoding, encodings)
        wasm = next((cast(Program[Wasm], p) for p in programs if p.target == "wasm"), None)
        relief = ENCODINGS[encoding].relief
        if relief and wasm:
            finer = keep_sensitive(graph, wasm, encodings, (encoding, relief), expected, means)
            if finer:
                kept = sum(finer[n] != e for n, e in encodings.items())
                whole = sum(e == encoding for e in encodings.values())
                yield Candidate(encoding, finer, f"{kept} of {whole} matrices stay in {relief}")


def _attempt(candidate: Candidate, graph: Graph, programs: Sequence[AnyProgram], folder: Path,
             expected: Expected, means: Means) -> Attempt:
    written = write(_corrected(graph, candidate.encodings, means),
                    _reading(programs, graph, candidate.encodings), candidate.encodings, folder)
    proof = prove(written, graph, expected)
    # The engine's own exponentials decide JavaScript's last digits: another target's row tells.
    row = next((r for r in proof.rows if not r.holds),
               next((r for r in reversed(proof.rows[1:]) if r.target != "js"), proof.rows[-1]))
    return Attempt(candidate, written, proof, _tried(candidate, written.weights.bytes, row))


def _corrected(graph: Graph, encodings: Mapping[str, str], means: Means) -> Graph:
    """The graph with biases that make up for the rounding of the weights."""
    biases = correct_biases(graph, lambda n: round_trip(graph.constants[n], encodings[n]), means)
    return replace(graph, constants={**graph.constants, **biases})


def _reading(programs: Sequence[AnyProgram], graph: Graph, encodings: Mapping[str, str]
             ) -> list[AnyProgram]:
    """The programs for weights in these encodings: WebGPU's programs decode them in their
    shaders."""
    if set(encodings.values()) <= {PLAIN}:
        return list(programs)
    return [webgpu.build(graph, encodings=encodings) if p.target == "webgpu" else p
            for p in programs]


def _tried(candidate: Candidate, size: int, row: Row) -> Tried:
    kept = row.kept()
    return Tried(cast(EncodingName, candidate.encoding), size, row.holds, row.judged,
                 getattr(kept, row.judged), row.limit, kept.same_top1, candidate.reason)


def _note_exceptions(graph: Graph, chosen: Candidate, note: AddNote) -> None:
    """Notes the layers whose weights have another encoding than the pack."""
    readers = graph.consumers()
    usual, wanted = plan(graph.constants, chosen.encoding), ENCODINGS[chosen.encoding]
    for name, array in graph.constants.items():
        layer = readers[name][0].name if readers[name] else name
        if chosen.encodings[name] != usual[name]:
            note(layer, f"its weights stay in {chosen.encodings[name]}: for their size, they lose "
                        f"most in {chosen.encoding}")
        elif (wanted.refusal and chosen.encodings[name] == wanted.finer
              and not wanted.admits(array)):
            note(layer, f"its weights, up to {np.abs(array).max():.3g}, {wanted.refusal}")
