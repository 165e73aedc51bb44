"""Builds of a pack that multiply whole numbers: beside the programs in f32 where weights are stored
in int8, if that pays and if the gates of rounded weights hold for them as well.

A quantized model's own activations are whole already. Those of any other become so in the range
that they had on the inputs of the proof, or in that without outliers: whichever moves the result
less, on random numbers and a sample. Where that is too much, the layers whose operand loses most
to its steps stay in f32, as few as a bisection finds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..files import write_file
from ..graph.graph import Graph
from ..ops.attrs import Product
from ..passes.quantize_activations import quantize_activations
from ..programs.program import Program
from ..programs.wasm.int8 import WAYS, Way, build, candidates, mark, work
from ..weights.shards import read_steps, stream_weights
from .golden import APART, QUANTIZED_FLOOR, golden, golden_distance
from .trace import COVERED, Trace
from .verify import Expected, Row, prove_build, run_build, same_top1, worst_gate

TRIED = 2  # inputs on which ranges are compared: the random one and a sample
FINE = 1024  # levels among which outliers cost the others nothing
PAYS = 0.85  # of the time in f32: what a build must promise to be made

Note = Callable[[str, str], None]


@dataclass(frozen=True)
class Published:
    """A proven pack as far as this module reads it: its `graph` with the published biases, and by
    name the weights that are stored as whole numbers, with their scales."""

    folder: Path
    graph: Graph
    steps: Mapping[str, tuple[np.ndarray, np.ndarray]]
    expected: Expected
    trace: Trace
    bounds: Sequence[tuple[float, float]]


def add_int8(graph: Graph, manifest: Mapping[str, Any], folder: Path, expected: Expected,
             trace: Trace, bounds: Sequence[tuple[float, float]], note: Note,
             progress: Callable[[str], None]) -> tuple[Mapping[str, Any], list[Row]]:
    """The manifest of the proven pack in `folder` with the builds that hold, and their rows.
    `bounds`: of the random input, as in `golden`."""
    rows: list[Row] = []
    # Ranges of random numbers say nothing of a visitor's picture: they take samples.
    wanted = expected.quantized or (manifest["weights"]["encoding"] == "int8"
                                    and len(expected.inputs) > 1)
    steps = read_steps(manifest, folder) if wanted and "wasm" in manifest["targets"] else {}
    if not steps:
        return manifest, rows
    biases = {n: a for n, a in stream_weights(manifest, folder, steps) if a.ndim < 2}
    graph = replace(graph, constants={**graph.constants, **biases})
    pack = Published(folder, graph, steps, expected, trace, bounds)
    for way in WAYS:
        progress(f"proving {way.name} products")
        manifest, proven = _add(pack, manifest, way, note)
        rows += proven
    return manifest, rows


def _add(pack: Published, manifest: Mapping[str, Any], way: Way,
         note: Note) -> tuple[Mapping[str, Any], list[Row]]:
    """The manifest with the builds of `way`, if all of them hold."""
    trials = _Trials(pack, manifest, way)
    best = trials.best()
    if best is None:
        return manifest, []
    best = trials.with_workers(best)
    rows, check, kept = [], None, best
    for name in _builds(way):
        row, first = prove_build(best, pack.folder, name, pack.expected,
                                 lossy=not pack.expected.quantized)
        check = check or _golden(pack, first)
        rows.append(row)
        if not row.holds or golden_distance(check, first) > check["tolerance"]:
            note(name, f"left out: {row.judged} is {row.found:.4g}, and {row.limit:g} is required"
                       + (", another first class" if row.same_top1 is False else ""))
            kept, rows = manifest, []
            break
    trials.remove(kept)
    if kept is best:
        kept = _described(best, way, {"golden": check}, {"work": work(pack.graph)})
    return kept, rows


def _builds(way: Way) -> list[str]:
    return [f"{way.name}-{isa}" for isa in way.isas]


class _Trials:
    """Manifests with the builds of one way, made differently; their files are in the folder."""

    def __init__(self, pack: Published, manifest: Mapping[str, Any], way: Way) -> None:
        self.pack, self.manifest, self.way = pack, manifest, way
        self.plain = work(pack.graph).get("f32", 0.0)
        self.inputs = {node.name: node.inputs for node in pack.graph.nodes}
        self.made: list[tuple[Mapping[str, Any], Graph]] = []

    def best(self) -> Mapping[str, Any] | None:
        """The trial that holds, or comes closest; None where none pays."""
        if self.pack.expected.quantized:
            return self._make(mark(self.pack.graph, self.way.kind, self.pack.steps))
        saved = candidates(self.pack.graph, self.way, self.pack.steps)
        layers = [name for name in saved if np.isfinite(self._range(name, 0)).all()]
        if sum(saved[name] for name in layers) < (1 - PAYS) * self.plain:
            return None
        shares = range(len(COVERED) if self.way.levels < FINE else 1)
        found = [(self._strain(trial, TRIED), share, trial) for share in shares
                 if (trial := self._rounded(layers, share))]
        if not found:
            return None
        strain, share, trial = min(found, key=lambda one: one[:2])
        if strain <= 1 and self._strain(trial) <= 1:
            return trial
        return self._with_fewer(saved, layers, share) or trial

    def _with_fewer(self, saved: Mapping[str, float], layers: Sequence[str],
                    share: int) -> Mapping[str, Any] | None:
        """The trial that holds with the fewest layers in f32, of those that pay."""
        order = sorted(layers, key=lambda name: -self._noise(name, share))
        left = np.cumsum([saved[name] for name in reversed(order)])
        most = len(order) - int(np.searchsorted(left, (1 - PAYS) * self.plain)) - 1
        low, high, found = 0, most, self._rounded(order[most:], share)
        if not found or self._strain(found) > 1:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            trial = self._rounded(order[middle:], share)
            if trial and self._strain(trial) <= 1:
                high, found = middle, trial
            else:
                low = middle
        return found

    def _range(self, layer: str, share: int) -> np.ndarray:
        return self.pack.trace.ranges[self.inputs[layer][0]][share]

    def _noise(self, layer: str, share: int) -> float:
        """The power of the rounding of a layer's operand against the operand's own."""
        low, high = self._range(layer, share)
        power = self.pack.trace.powers[self.inputs[layer][0]]
        return float((max(high, 0.0) - min(low, 0.0)) ** 2 / (power or 1.0))

    def _rounded(self, layers: Sequence[str], share: int) -> Mapping[str, Any] | None:
        """The trial with these layers, but for those whose sums would not fit, if it pays."""
        ranges = {name: tuple(bounds[share]) for name, bounds in self.pack.trace.ranges.items()}
        whole = quantize_activations(self.pack.graph, layers, ranges, self.pack.steps,
                                     self.way.levels)
        marked = mark(whole, self.way.kind, self.pack.steps)
        run = {node.inputs[1] for node in marked.nodes
               if isinstance(node.attrs, Product) and node.attrs.dot}
        fit = [name for name in layers if self.inputs[name][1] in run]
        return self._make(marked) if len(fit) == len(layers) else self._rounded(fit, share)

    def with_workers(self, trial: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same, with what workers tell each other, which takes seconds to find out."""
        marked = next(graph for made, graph in self.made if made is trial)
        return self._make(marked, workers=True) or trial

    def _make(self, marked: Graph, workers: bool = False) -> Mapping[str, Any] | None:
        """The trial of a graph whose nodes say what runs on whole numbers, if it pays."""
        program = build(marked, self.way, self.pack.graph.constants, workers)
        time = sum(n / (1 if kind == "f32" else self.way.speedup)
                   for kind, n in program.about["work"].items())
        if time > PAYS * self.plain:
            return None
        made = _with(self.manifest, self.way, program, self.pack.folder)
        self.made.append((made, marked))
        return made

    def _strain(self, trial: Mapping[str, Any], count: int | None = None) -> float:
        """Of the gates, on the first `count` inputs, against the graph in float64; infinite where
        a sample's first class is another one."""
        expected = self.pack.expected
        got = run_build(trial, self.pack.folder, _builds(self.way)[-1], expected.inputs[:count])
        wanted = expected.exact[:count]
        gate, value = worst_gate(got, wanted, expected.answer)
        same = same_top1(got, wanted, expected.answer) is not False
        return gate.strain(value) if same else np.inf

    def remove(self, kept: Mapping[str, Any]) -> None:
        """The files of trials, but for those that the manifest `kept` names."""
        urls = [{entry["url"] for entry in one["targets"]["wasm"]["files"].values()}
                for one in (*(made for made, _ in self.made), kept)]
        for url in set().union(*urls) - urls[-1]:
            (self.pack.folder / url).unlink(missing_ok=True)


def _golden(pack: Published, first: Sequence[np.ndarray]) -> dict[str, Any]:
    """What a device is held to: its roundings to whole numbers may turn where f32 comes close to
    halves, so it may be as far as the build itself is from float64, there and back."""
    tolerance = QUANTIZED_FLOOR
    if not pack.expected.quantized:
        exact = golden(pack.bounds, pack.expected.exact[0], metric="l2", tolerance=0.0)
        tolerance = float(f"{APART * golden_distance(exact, first):.2g}")
    return golden(pack.bounds, first, metric="l2", tolerance=tolerance)


# --- the manifest --------------------------------------------------------------------------------


def _with(manifest: Mapping[str, Any], way: Way, program: Program,
          folder: Path) -> Mapping[str, Any]:
    """The manifest with the builds of a program, whose files are in `folder`."""
    files = {name: write_file(folder, f"wasm-{name}", content, suffix)
             for name, (content, suffix) in program.files.items()}
    return _described(manifest, way, program.about, {"files": {
        **manifest["targets"]["wasm"]["files"], **files}})


def _described(manifest: Mapping[str, Any], way: Way, about: Mapping[str, Any],
               facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest that also says `about` of `way`, and `facts` of WebAssembly."""
    wasm = manifest["targets"]["wasm"]
    known = wasm.get("arithmetic", {})
    own = {**known, way.name: {**known.get(way.name, {}), **about}}
    wasm = {**wasm, **facts, "arithmetic": own}
    return {**manifest, "targets": {**manifest["targets"], "wasm": wasm}}
