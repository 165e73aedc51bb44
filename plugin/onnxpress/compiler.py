"""The street on one screen: source model -> graph -> passes -> programs -> pack -> proof.

`press` is the whole build of one model; everything else here reads what came out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .errors import PlanError, UnsupportedError
from .graph.graph import Graph
from .importer.model import import_model
from .model.simplify import simplify
from .model.source import ModelProto, load_model
from .model.spill import model_bytes, spilled_arrays
from .ops import OPS
from .pack.pack import Pack, write_manifest
from .passes import run_passes
from .programs import js
from .programs.wasm import build as wasm
from .programs.webgpu import build as webgpu
from .proof.choose import choose
from .proof.golden import MARGIN, QUANTIZED_FLOOR, draw, golden, ranges
from .proof.half import add_half
from .proof.int8 import add_int8
from .proof.sample_files import check_feeds
from .proof.trace import Trace, f16_range, trace
from .proof.verify import Expected, Proof, Reference, expect, require
from .runtime import write_runtime
from .targets import TARGETS
from .tasks import PLAIN as PLAIN_ANSWER
from .tasks.base import Answer
from .weights.encodings import PLAIN

BUILDERS = {"webgpu": webgpu.build, "wasm": wasm.build, "js": js.build}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a person decides. `feeds`: samples, to prove on beside random inputs; `bounds`: (low,
    high) of random inputs by name; `answer`: what the outputs are for, which decides how exact an
    encoding must be; `admit` refuses outputs, by name and shape, before anything is compiled."""

    name: str = "model"
    targets: tuple[str, ...] = tuple(TARGETS)
    weights: str = PLAIN
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    feeds: Sequence[Mapping[str, np.ndarray]] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    answer: Answer = PLAIN_ANSWER
    admit: Callable[[Mapping[str, tuple[int, ...]]], Any] = lambda outputs: None


@dataclass
class Notes:
    """What the compiler decided and why; shown by `explain` and on the page."""

    entries: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, where: str, reason: str) -> None:
        entry = {"where": where, "reason": reason}
        if entry not in self.entries:
            self.entries.append(entry)


def lower(model: ModelProto, shapes: Mapping[str, tuple[int, ...]], note: Notes) -> Graph:
    """Source model -> the graph that all targets start from."""
    simple = simplify(model, shapes, note)
    return run_passes(import_model(simple, shapes, spilled_arrays(model)), note)


def press(model: ModelProto, folder: Path, options: Options,
          progress: Progress = lambda stage: None) -> Pack:
    """The proven pack of `model` in `folder`, ready to be served.

    Raises:
        ModelError, UnsupportedError: the model cannot be read or run.
        PlanError: no target is left.
        ProofError: the numbers differ from onnxruntime's.
    """
    note = Notes()
    progress("reading")
    graph = lower(model, options.shapes, note)
    options.admit({name: graph.shape(name) for name in graph.outputs})
    progress("compiling")
    programs = _programs(graph, options.targets, note)
    folder.mkdir(parents=True, exist_ok=True)
    progress("running in float64")
    yardstick = measure(model, graph, options)
    manifest, proof = choose(graph, programs, options.weights, folder, yardstick.expected,
                             yardstick.trace.means, note, progress)
    golden, rows = yardstick.golden(proof), require(proof.rows, options.name)
    f16 = f16_range(graph, yardstick.trace.peaks)
    if f16["holds"] and "webgpu" in manifest["targets"] and not yardstick.expected.quantized:
        progress("proving values in f16")
        manifest, row = add_half(manifest, folder, graph, yardstick.expected, proof)
        f16 = {**f16, "holds": row["holds"], "proof": row}
        rows += [row] if row["holds"] else []
    manifest, int8_rows = add_int8(graph, manifest, folder, yardstick.expected, yardstick.trace,
                                   yardstick.bounds, note, progress)
    manifest = {
        "name": options.name,
        **manifest,
        "f16": f16,
        "golden": golden,
        "proof": [*rows, *require(int8_rows, options.name)],
        "notes": note.entries,
        "statistics": {"onnx_bytes": model_bytes(model), **statistics(graph)},
    }
    return finish(manifest, folder)


def finish(manifest: Mapping[str, Any], folder: Path) -> Pack:
    """The pack, with its manifest written into `folder`."""
    entries = [*manifest["weights"]["shards"],
               *(e for t in manifest["targets"].values() for e in t["files"].values())]
    files = [folder / entry["url"] for entry in entries]
    files.append(write_manifest(manifest, folder))
    return Pack(folder, manifest, tuple(dict.fromkeys(files)))


def compile_model(path: Path, folder: Path, options: Options,
                  progress: Progress = lambda stage: None) -> Pack:
    """The pack of a model file with the browser runtime beside it, ready to be served."""
    with TemporaryDirectory(prefix="onnxpress-", ignore_cleanup_errors=True) as scratch:
        model = load_model(path, options.shapes, Path(scratch))
        pack = press(model, folder, options, progress)
    write_runtime(folder, tuple(pack.manifest["targets"]))
    return pack


def _programs(graph: Graph, targets: Sequence[str], note: Notes) -> list:
    """A program per target; one that cannot run the graph is left out, with a note."""
    programs = []
    for target in targets:
        try:
            programs.append(BUILDERS[target](graph))
        except (PlanError, UnsupportedError) as error:
            note(target, f"left out: {error}")
    if not programs:
        raise PlanError("; ".join(e["reason"] for e in note.entries if e["where"] in targets))
    return programs


@dataclass(frozen=True)
class Yardstick:
    """What a pack is held to: onnxruntime's results, the graph's own in float64, and the bounds of
    the random inputs among those tried."""

    expected: Expected
    trace: Trace
    bounds: Sequence[tuple[float, float]]

    def golden(self, proof: Proof) -> dict:
        """The outputs of the published program, so that an encoding's own error costs no
        tolerance; the build's tests hold the other targets to the same."""
        if self.expected.quantized:
            return golden(self.bounds, proof.first, metric="l2", tolerance=QUANTIZED_FLOOR)
        return golden(self.bounds, proof.first, metric="peak",
                      tolerance=MARGIN * self.expected.tolerance)


def measure(model: ModelProto, graph: Graph, options: Options) -> Yardstick:
    """The results of `model` and `graph` on random inputs and on the samples.

    Raises:
        ModelError: a sample is not what the model takes.
    """
    ports = [{"name": n, "shape": graph.shape(n), "dtype": graph.values[n].dtype}
             for n in graph.inputs]
    check_feeds(options.feeds, {port["name"]: port["shape"] for port in ports})
    bounds = ranges(ports, options.bounds)
    inputs = [draw(ports, bounds), *options.feeds]
    seen = trace(graph, inputs)
    quantized = any(n.op_type == "QuantizeLinear" for n in model.graph.node)
    reference = Reference(model.SerializeToString(), spilled_arrays(model))
    expected = expect(reference, inputs, seen.outputs, quantized=quantized, answer=options.answer)
    return Yardstick(expected, seen, bounds)


def statistics(graph: Graph) -> dict:
    """Parameters, floating-point operations and steps, for the page."""
    flops = sum(OPS[n.op].flops(n, [graph.shape(i) for i in n.inputs]) for n in graph.nodes)
    counts: dict[str, int] = {}
    for node in graph.nodes:
        counts[node.op] = counts.get(node.op, 0) + 1
    return {"parameters": int(sum(c.size for c in graph.constants.values())),
            "flops": int(flops), "operators": counts}
