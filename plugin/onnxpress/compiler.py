"""The street on one screen: source model -> graph -> passes -> programs -> pack -> proof.

`press` is the whole build of one model; everything else here reads what came out.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .emit import js, wasm, webgpu
from .encodings import plan
from .errors import PackError, PlanError, ProofError, UnsupportedError
from .golden import MARGIN, QUANTIZED_FLOOR, draw, golden, ranges
from .graph import Graph
from .importer import import_model
from .ops import OPS
from .pack import Pack, write_manifest, write_pack
from .passes import run_passes
from .runtime_files import write_runtime
from .simplify import simplify
from .source import ModelProto, load_model
from .verify import Proof, Reference, expect, prove, require

BUILDERS = {"webgpu": webgpu.build, "wasm": wasm.build, "js": js.build}
AUTO = ("int8", "f16", "f32")  # smallest first: the first whose proof holds is taken

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a person decides. `feeds`: inputs to prove on beside random ones, such as the samples;
    `bounds`: (low, high) of random inputs by name."""

    name: str = "model"
    targets: tuple[str, ...] = ("webgpu", "wasm", "js")
    weights: str = "f32"
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    feeds: Sequence[Mapping[str, np.ndarray]] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)


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
    return run_passes(import_model(simplify(model, shapes, note), shapes), note)


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
    progress("compiling")
    programs = _programs(graph, options.targets, note)
    folder.mkdir(parents=True, exist_ok=True)
    proof = _Yardstick(model, graph, options)
    progress("proving")
    manifest, proved = _encode(graph, programs, options, folder, proof, note)
    manifest = {
        "name": options.name,
        **manifest,
        "golden": proof.golden(proved),
        "proof": require(proved.rows, options.name),
        "notes": note.entries,
        "statistics": {"onnx_bytes": model.ByteSize(), **statistics(graph)},
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
    pack = press(load_model(path, options.shapes), folder, options, progress)
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


class _Yardstick:
    """The inputs a pack is proven on, and the reference's view of them."""

    def __init__(self, model: ModelProto, graph: Graph, options: Options) -> None:
        self.graph = graph
        self.quantized = any(n.op_type == "QuantizeLinear" for n in model.graph.node)
        self.reference = Reference(model.SerializeToString())
        ports = [{"name": n, "shape": graph.shape(n), "dtype": graph.values[n].dtype}
                 for n in graph.inputs]
        self.bounds = ranges(ports, options.bounds)
        self.random = draw(ports, self.bounds)
        self.expected = expect(graph, self.reference, [self.random, *options.feeds],
                               quantized=self.quantized)

    def of(self, manifest: Mapping[str, Any], folder: Path) -> Proof:
        return prove(manifest, folder, self.graph, self.expected)

    def golden(self, proved: Proof) -> dict:
        """The outputs of the published program, so that an encoding's own error costs no
        tolerance; the build's tests hold the other targets to the same."""
        if self.quantized:
            return golden(self.bounds, proved.first, metric="l2", tolerance=QUANTIZED_FLOOR)
        tolerance = max(r.limit for r in proved.rows if r.judged == "max_error_over_peak")
        return golden(self.bounds, proved.first, metric="peak", tolerance=MARGIN * tolerance)


def _encode(graph: Graph, programs: list, options: Options, folder: Path, proof: _Yardstick,
            note: Notes) -> tuple[dict, Proof]:
    """The manifest and its proof in the encoding asked for; "auto": the smallest that holds."""
    if options.weights != "auto":
        manifest = write_pack(graph, programs, plan(graph.constants, options.weights), folder)
        return manifest, proof.of(manifest, folder)
    tried = []
    for encoding in AUTO:
        with tempfile.TemporaryDirectory(prefix="onnxpress-") as trial:
            try:
                manifest = write_pack(graph, programs, plan(graph.constants, encoding), Path(trial))
                proved = proof.of(manifest, Path(trial))
                require(proved.rows, options.name)
            except (ProofError, PackError) as error:
                tried.append(f"{encoding}: {error}")
                continue
        for reason in tried:
            note("weights", reason)
        return write_pack(graph, programs, plan(graph.constants, encoding), folder), proved
    raise ProofError(tried[-1])


def statistics(graph: Graph) -> dict:
    """Parameters, floating-point operations and steps, for the page."""
    flops = sum(OPS[n.op].flops(n, [graph.shape(i) for i in n.inputs]) for n in graph.nodes)
    counts: dict[str, int] = {}
    for node in graph.nodes:
        counts[node.op] = counts.get(node.op, 0) + 1
    return {"parameters": int(sum(c.size for c in graph.constants.values())),
            "flops": int(flops), "operators": counts}
