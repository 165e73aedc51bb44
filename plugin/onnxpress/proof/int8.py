"""WebAssembly builds that multiply whole numbers, beside the builds in f32.

They are made where weights are stored in int8, if they save enough time and if they pass the gates
of rounded weights.

The activations of a quantized model are whole already. The activations of any other model are
rounded to whole numbers, in steps that cover their range. That is the range on the inputs of the
proof, or the range without outliers: whichever moves the result less, on random numbers and on a
sample. Where the result moves too far, the layers whose operand loses most stay in f32, as few as a
bisection finds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..files import write_file
from ..graph.graph import Graph
from ..graph.notes import AddNote
from ..ops.attrs import Product
from ..pack.proof import Golden
from ..pack.targets import Arithmetic, WasmTarget
from ..passes.quantize_activations import quantize_activations
from ..programs.program import Program
from ..programs.wasm.int8 import INTEGERS, Integers, build, candidates, mark, work
from ..weights.shards import read_steps, stream_weights
from ..words import beside
from .draws import Draw
from .golden import APART, QUANTIZED_FLOOR, golden, golden_distance
from .trace import COVERED, Trace
from .verify import Expected, Row, prove_build, run_build, same_top1, worst_gate
from .written import Written

TRIED = 2  # inputs on which ranges are compared: the random one and a sample
# From so many levels on, the range without outliers is not tried: with 2,047 levels the whole range
# costs nothing (decision 0015).
FINE = 1024
# A build is made if it promises at most this share of the time in f32. Chosen with decision 0015,
# not measured.
PAYS = 0.85



@dataclass(frozen=True)
class Proven:
    """A proven pack, as far as this module reads it. `graph` has the published biases. `steps`:
    name of a tensor that is stored in int8 -> (i8 array, scale per index of its last axis).
    `draw`: of the random input."""

    written: Written
    graph: Graph
    steps: Mapping[str, tuple[np.ndarray, np.ndarray]]
    expected: Expected
    trace: Trace
    draw: Draw


@dataclass(frozen=True)
class Trial:
    """A target with the builds in one arithmetic; `marked` is the graph that they were made of."""

    target: WasmTarget
    marked: Graph


def add_int8(graph: Graph, pack: Written, target: WasmTarget, expected: Expected, trace: Trace,
             draw: Draw, note: AddNote, progress: Callable[[str], None]
             ) -> tuple[WasmTarget, list[Row]]:
    """The target with the builds that hold, and their rows. `draw`: of the random input.

    Raises:
        PackError: a shard cannot be read, or a build cannot be written.
    """
    rows: list[Row] = []
    # Ranges of random numbers do not tell the ranges of a visitor's picture: samples are needed.
    wanted = expected.quantized or (pack.weights.encoding == "int8" and len(expected.inputs) > 1)
    steps = read_steps(pack.weights, pack.folder) if wanted else {}
    if not steps:
        return target, rows
    stored = stream_weights(pack.weights, pack.folder, steps)
    biases = {name: array for name, array in stored if array.ndim < 2}
    graph = replace(graph, constants={**graph.constants, **biases})
    proven = Proven(pack, graph, steps, expected, trace, draw)
    for integers in INTEGERS:
        progress(f"proving {integers.name} products")
        target, more = _add(proven, target, integers, note)
        rows += more
    return target, rows


def _add(pack: Proven, target: WasmTarget, integers: Integers, note: AddNote
         ) -> tuple[WasmTarget, list[Row]]:
    """The target with the builds of `integers` and their rows, if all of them hold."""
    trials = _Trials(pack, target, integers)
    best = trials.best()
    if best is None:
        return target, []
    made = trials.with_workers(best).target
    rows, check = _prove(pack, made, integers, note)
    if check is None:
        trials.remove(target)
        return target, []
    trials.remove(made)
    own = replace(made.arithmetic[integers.name], golden=check)
    return replace(made, arithmetic={**made.arithmetic, integers.name: own},
                   work=work(pack.graph)), rows


def _prove(pack: Proven, made: WasmTarget, integers: Integers, note: AddNote
           ) -> tuple[list[Row], Golden | None]:
    """(the rows of the builds of `integers`, the golden outputs for a device).

    There is no golden, but a note, if a build does not hold.
    """
    rows: list[Row] = []
    check: Golden | None = None
    for name in _builds(integers):
        row, first = prove_build(pack.written, made, name, pack.expected,
                                 lossy=not pack.expected.quantized)
        check = check or _golden(pack, first)
        rows.append(row)
        if not row.holds or golden_distance(check, first) > check.tolerance:
            found = beside(row.found, row.limit)
            note(name, f"left out: {row.judged} is {found}, and {row.limit:g} is required"
                       + (", another first class" if row.same_top1 is False else ""))
            return [], None
    return rows, check


def _builds(integers: Integers) -> list[str]:
    return [f"{integers.name}-{isa}" for isa in integers.isas]


class _Trials:
    """The builds in one arithmetic, made differently. The files of all trials are in the folder."""

    def __init__(self, pack: Proven, target: WasmTarget, integers: Integers) -> None:
        self.pack, self.target, self.integers = pack, target, integers
        self.plain = work(pack.graph).get("f32", 0.0)
        self.inputs = {node.name: node.inputs for node in pack.graph.nodes}
        self.made: list[Trial] = []

    def best(self) -> Trial | None:
        """The trial that holds, or the one that comes closest; None where none saves enough
        time."""
        if self.pack.expected.quantized:
            return self._make(mark(self.pack.graph, self.integers.kind, self.pack.steps))
        saved = candidates(self.pack.graph, self.integers, self.pack.steps)
        layers = [name for name in saved if np.isfinite(self._range(name, 0)).all()]
        if sum(saved[name] for name in layers) < (1 - PAYS) * self.plain:
            return None
        shares = range(len(COVERED) if self.integers.levels < FINE else 1)
        found = [(self._strain(trial, TRIED), share, trial) for share in shares
                 if (trial := self._rounded(layers, share))]
        if not found:
            return None
        strain, share, trial = min(found, key=lambda one: one[:2])
        if strain <= 1 and self._strain(trial) <= 1:
            return trial
        return self._with_fewer(saved, layers, share) or trial

    def _with_fewer(self, saved: Mapping[str, float], layers: Sequence[str],
                    share: int) -> Trial | None:
        """The trial that holds with the fewest layers in f32; None where it would not save enough
        time."""
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
        """The power of the rounding errors of a layer's operand, over the power of the operand."""
        low, high = self._range(layer, share)
        power = self.pack.trace.powers[self.inputs[layer][0]]
        return float((max(high, 0.0) - min(low, 0.0)) ** 2 / (power or 1.0))

    def _rounded(self, layers: Sequence[str], share: int) -> Trial | None:
        """The trial with these layers on whole numbers, except layers whose sums would not fit
        i32; None where it does not save enough time."""
        ranges = {name: tuple(bounds[share]) for name, bounds in self.pack.trace.ranges.items()}
        whole = quantize_activations(self.pack.graph, layers, ranges, self.pack.steps,
                                     self.integers.levels)
        marked = mark(whole, self.integers.kind, self.pack.steps)
        run = {node.inputs[1] for node in marked.nodes
               if isinstance(node.attrs, Product) and node.attrs.dot}
        fit = [name for name in layers if self.inputs[name][1] in run]
        return self._make(marked) if len(fit) == len(layers) else self._rounded(fit, share)

    def with_workers(self, trial: Trial) -> Trial:
        """The same trial, whose files also say what workers without a shared memory exchange. It
        takes seconds to find that out."""
        return self._make(trial.marked, workers=True) or trial

    def _make(self, marked: Graph, workers: bool = False) -> Trial | None:
        """The trial of a graph whose nodes say what runs on whole numbers; None where it does not
        save enough time."""
        program = build(marked, self.integers, self.pack.graph.constants, workers)
        time = sum(n / (1 if kind == "f32" else self.integers.speedup)
                   for kind, n in program.about.work.items())
        if time > PAYS * self.plain:
            return None
        trial = Trial(self._publish(program), marked)
        self.made.append(trial)
        return trial

    def _publish(self, program: Program[Arithmetic]) -> WasmTarget:
        """The target with the builds of `program`, whose files are now in the folder."""
        files = {name: write_file(self.pack.written.folder, f"wasm-{name}", content, suffix)
                 for name, (content, suffix) in program.files.items()}
        known = self.target.arithmetic
        return replace(self.target, files={**self.target.files, **files},
                       arithmetic={**known, self.integers.name: program.about})

    def _strain(self, trial: Trial, count: int | None = None) -> float:
        """The strain on the gates, on the first `count` inputs, against the graph in float64;
        infinite where a sample's first class is another one."""
        expected = self.pack.expected
        got = run_build(self.pack.written, trial.target, _builds(self.integers)[-1],
                        expected.inputs[:count])
        wanted = expected.exact[:count]
        gate, value = worst_gate(got, wanted, expected.answer)
        same = same_top1(got, wanted, expected.answer) is not False
        return gate.strain(value) if same else np.inf

    def remove(self, kept: WasmTarget) -> None:
        """Removes the files of all trials, except the files that `kept` names."""
        made = {file.url for trial in self.made for file in trial.target.files.values()}
        for url in made - {file.url for file in kept.files.values()}:
            (self.pack.written.folder / url).unlink(missing_ok=True)


def _golden(pack: Proven, first: Sequence[np.ndarray]) -> Golden:
    """What a device is held to. A value near the middle of two whole numbers may be rounded to the
    other one there, so the device may be as far from float64 as the build is, on the opposite
    side."""
    tolerance = QUANTIZED_FLOOR
    if not pack.expected.quantized:
        exact = golden(pack.draw, pack.expected.exact[0], metric="l2", tolerance=0.0)
        tolerance = float(f"{APART * golden_distance(exact, first):.2g}")
    return golden(pack.draw, first, metric="l2", tolerance=tolerance)
