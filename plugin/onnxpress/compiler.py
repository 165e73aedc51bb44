"""The street on one screen: source model -> graph -> passes -> programs -> files -> proof -> pack.

`press` is the whole build of one model.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from . import words
from .errors import PlanError, UnsupportedError, plain
from .graph.graph import Graph
from .importer.functions import require_few
from .importer.model import import_model
from .limits import LIMITS, Limits
from .manifest.manifest import FORMAT, Dtype, Manifest, Note, Port, Statistics
from .manifest.pack import Pack, finish
from .manifest.sheet import NOT_RUN
from .model.simplify import simplify
from .model.source import ModelProto, load_model
from .model.spill import model_bytes, spilled_arrays
from .ops import OPS
from .pack.targets import Targets
from .passes import run_passes
from .programs import js
from .programs.program import AnyProgram
from .programs.wasm import build as wasm
from .programs.webgpu import build as webgpu
from .proof.choose import choose
from .proof.departure import first_departure
from .proof.half import add_half
from .proof.int8 import add_int8
from .proof.measure import JS_WORK, Measured, Question, measure
from .proof.sample_files import check_feeds
from .proof.trace import f16_range
from .proof.verify import Row, require
from .run.wgsl import compile_shaders
from .runtime import write_runtime
from .targets import TARGETS
from .tasks import PLAIN as PLAIN_ANSWER
from .tasks.base import Answer
from .weights.encodings import PLAIN

BUILDERS: Mapping[str, Callable[[Graph], AnyProgram]] = {
    "webgpu": webgpu.build, "wasm": wasm.build, "js": js.build}

GIGA, TERA = 1e9, 1e12
WIDTH = 32  # bytes: a value in float64, the value made of it, and two halfway results
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """A person's choices.

    `feeds`: samples, on which the pack is proven beside random inputs. `bounds`: input -> (low,
    high) of its random values. `answer`: the meaning of the outputs, which decides how exact an
    encoding must be. `admit`: refuses outputs, by name and shape, before anything is compiled.
    `simplify`: whether onnxsim is asked. `limits`: what a run of the model may take.
    """

    name: str = "model"
    targets: tuple[str, ...] = tuple(TARGETS)
    weights: str = PLAIN
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    feeds: Sequence[Mapping[str, np.ndarray]] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    answer: Answer = PLAIN_ANSWER
    admit: Callable[[Mapping[str, tuple[int, ...]]], Any] = lambda outputs: None
    simplify: bool = True
    limits: Limits = LIMITS


@dataclass
class Notes:
    """The compiler's decisions and their reasons; `explain` and the page show them."""

    entries: list[Note] = field(default_factory=list)

    def __call__(self, where: str, reason: str) -> None:
        note = Note(plain(where), plain(reason))
        if note not in self.entries:
            self.entries.append(note)


def lower(model: ModelProto, shapes: Mapping[str, tuple[int, ...]], note: Notes,
          simplified: bool = True) -> Graph:
    """Source model -> the graph that all targets start from. `simplified`: whether onnxsim is
    asked.

    Raises:
        ModelError, UnsupportedError: the model cannot be read or run.
    """
    require_few(model)
    simple = simplify(model, shapes, note, simplified)
    return run_passes(import_model(simple, shapes, spilled_arrays(model)), note)


def press(model: ModelProto, folder: Path, options: Options,
          progress: Progress = lambda stage: None) -> Pack:
    """The proven pack of `model` in `folder`, ready to be served.

    Raises:
        OnnxPressError: see `assemble`.
    """
    return finish(assemble(model, folder, options, progress), folder)


def assemble(model: ModelProto, folder: Path, options: Options,
             progress: Progress = lambda stage: None) -> Manifest:
    """The manifest of `model`, whose other files are in `folder` and proven.

    Raises:
        ModelError, UnsupportedError: the model cannot be read or run.
        PlanError: no target is left.
        ProofError: the numbers differ from onnxruntime's.
        PackError: a file cannot be written.
    """
    note = Notes()
    progress("reading")
    graph = lower(model, options.shapes, note, options.simplify)
    options.admit({name: graph.shape(name) for name in graph.outputs})
    require_room(graph, options.limits)
    progress("compiling")
    programs = _programs(graph, options.targets, note)
    folder.mkdir(parents=True, exist_ok=True)
    progress("running in float64")
    facts = statistics(graph, model_bytes(model))
    measured = _measure(model, graph, options, facts.flops, note)
    expected, seen = measured.expected, measured.trace
    written, proof = choose(graph, programs, options.weights, folder, expected, seen.means, note,
                            progress)
    rows, targets = list(proof.rows), written.targets
    proven = require(rows, options.name, expected.yardstick,
                     lambda: first_departure(model, graph, expected.inputs[0]))
    _note_unrun(targets, rows, facts.flops, note)
    f16 = f16_range(graph, seen.peaks)
    if f16.holds and targets.webgpu and not expected.quantized:
        progress("proving values in f16")
        target, row = add_half(written, targets.webgpu, graph, expected, proof)
        targets = replace(targets, webgpu=target)
        f16 = replace(f16, holds=row.holds, proof=row.kept())
        proven += [row.kept()] if row.holds else []
    if targets.wasm:
        target, rows = add_int8(graph, written, targets.wasm, expected, seen, measured.draw,
                                note, progress)
        targets = replace(targets, wasm=target)
        proven += require(rows, options.name, expected.yardstick)
    return Manifest(
        name=options.name, onnxpress=FORMAT, inputs=ports(graph, graph.inputs),
        outputs=ports(graph, graph.outputs), weights=written.weights, targets=targets, f16=f16,
        golden=measured.golden(proof), proof=tuple(proven), notes=tuple(note.entries),
        yardstick=expected.yardstick, statistics=facts)


def require_room(graph: Graph, limits: Limits) -> None:
    """That a run of the graph in float64 keeps within the limits, as its shapes tell.

    Raises:
        UnsupportedError: it does not; the message has the number.
    """
    flops, held = flops_of(graph), bytes_held(graph, WIDTH)
    if flops > TERA * limits.teraflop:
        raise UnsupportedError(f"a run takes {flops / TERA:.3g} teraflop: "
                               f"{limits.told('teraflop')}")
    if held > GIGA * limits.gigabytes:
        raise UnsupportedError(f"a run in float64 needs {held / GIGA:.3g} GB: "
                               f"{limits.told('gigabytes')}")


def flops_of(graph: Graph) -> int:
    """The floating-point operations of one run."""
    return int(sum(OPS[n.op].flops(n, [graph.shape(i) for i in n.inputs]) for n in graph.nodes))


def bytes_held(graph: Graph, width: int) -> int:
    """The most bytes that the values of a run hold at a time, constants included; `width` bytes for
    an element. A value is dropped after the last node that reads it."""
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    sizes = {name: width * prod(value.shape) for name, value in graph.values.items()}
    held = sum(sizes[name] for name in {*graph.inputs, *graph.constants})
    most = held
    for i, node in enumerate(graph.nodes):
        held += sum(sizes[name] for name in node.outputs)
        most = max(most, held)
        done = {n for n in (*node.inputs, *node.outputs) if last.get(n, i) == i}
        held -= sum(sizes[name] for name in done.difference(graph.outputs))
    return most


def ports(graph: Graph, names: Sequence[str]) -> tuple[Port, ...]:
    """Inputs or outputs of the graph, as the manifest has them."""
    return tuple(Port(n, tuple(graph.shape(n)), cast(Dtype, graph.values[n].dtype)) for n in names)


def compile_model(path: Path, folder: Path, options: Options,
                  progress: Progress = lambda stage: None) -> Pack:
    """The pack of a model file with the browser runtime beside it, ready to be served. Shaders are
    compiled where the package wgpu is installed; `progress` hears whether they were.

    Raises:
        OnnxPressError: see `assemble`.
        ProofError: a shader is not valid.
    """
    with TemporaryDirectory(prefix="onnxpress-", ignore_cleanup_errors=True) as scratch:
        model = load_model(path, options.shapes, Path(scratch))
        manifest = assemble(model, folder, options, progress)
    webgpu = manifest.targets.webgpu
    if webgpu:
        progress(str(compile_shaders([folder / file.url for file in webgpu.files.values()])))
    pack = finish(manifest, folder)
    write_runtime(folder, tuple(pack.manifest.targets.named()))
    return pack


def _programs(graph: Graph, targets: Sequence[str], note: Notes) -> list[AnyProgram]:
    """One program per target. A target that cannot run the graph is left out, with a note."""
    programs: list[AnyProgram] = []
    for target in targets:
        try:
            programs.append(BUILDERS[target](graph))
        except (PlanError, UnsupportedError) as error:
            note(target, f"left out: {error}")
    if not programs:
        raise PlanError("; ".join(e.reason for e in note.entries if e.where in targets))
    return programs


def _measure(model: ModelProto, graph: Graph, options: Options, flops: int, note: Notes
             ) -> Measured:
    """The results of `model` and `graph` on random inputs and on the samples.

    Raises:
        ModelError: a sample is not what the model takes.
    """
    given = ports(graph, graph.inputs)
    check_feeds(options.feeds, {port.name: port.shape for port in given})
    return measure(Question(model, spilled_arrays(model), graph, flops, given, options.bounds,
                            options.feeds, options.answer), note)


def _note_unrun(targets: Targets, rows: Sequence[Row], flops: int, note: Notes) -> None:
    """Says in so many words which programs no row of the proof has run."""
    if targets.js and not any(row.target == "js" for row in rows):
        note("js", f"its program was {NOT_RUN}: one run takes {words.flops(flops)}, and a build "
                   f"runs {words.flops(int(JS_WORK))} in JavaScript; a device checks it")
    if targets.webgpu:
        note("webgpu", f"its programs were {NOT_RUN}, which needs no GPU; a device compiles and "
                       "checks them before it shows a result")


def statistics(graph: Graph, onnx_bytes: int) -> Statistics:
    """The sizes of a model whose ONNX file and weights take `onnx_bytes`."""
    counts: dict[str, int] = {}
    for node in graph.nodes:
        counts[node.op] = counts.get(node.op, 0) + 1
    parameters = int(sum(c.size for c in graph.constants.values()))
    digest = hashlib.sha256(str(graph).encode()).hexdigest()
    return Statistics(onnx_bytes, parameters, flops_of(graph), counts, digest)
