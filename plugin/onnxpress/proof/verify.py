"""The proof: a pack's published bytes are run and compared, element by element.

The chain has two links. The graph runs in float64 and is compared with the yardstick, onnxruntime
as a rule. Every build then runs with weights decoded from the shards and is compared with that
graph: WebAssembly in wasmtime, JavaScript in V8. A breach is an error and nothing is published.

onnxruntime's last bits depend on the processor, and a manifest must not. So the figures of builds
compare with float64, and the row of the graph itself is kept in powers of 2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ProofError
from ..graph.graph import Graph
from ..ops.interpret import interpret
from ..pack.proof import ProofRow, YardstickName
from ..pack.targets import WasmTarget
from ..pack.weights import Metric
from ..run.javascript import open_js
from ..run.wasmtime import open_program
from ..tasks.base import Answer, Gate
from ..tasks.gates import choose_gate, cosine, psnr
from ..weights.shards import read_weights, stream_weights
from ..words import beside
from .limits import F32_MAX, excess
from .written import Written

Feeds = Mapping[str, np.ndarray]
Outputs = Sequence[np.ndarray]

TOLERANCE = 1e-4  # of the output's peak, for a device; source: decision 0006
# Nearer than this, the yardstick and float64 count as equal: max error over peak, relative L2,
# share of the limit, dB.
NOTED, NOTED_SHARE, NOTED_DB = 1e-5, 1 / 4, 80.0
# A net can be ill-conditioned: then onnxruntime's own f32 result is far from float64's, and another
# f32 implementation may be a few times that distance away from it. Source: decision 0006.
CONDITION, TOLERANCE_CAP = 4, 5e-4
# Relative L2 of quantized nets, whose activations lie on an integer grid: one rounding tie moves
# all values after it. Source: decision 0006; the value was chosen, not measured.
QUANTIZED_L2 = 0.08


@dataclass(frozen=True, slots=True)
class Figures:
    """How far some outputs are from others; the worst input counts. `same_top1` is about samples
    and None where the task names no classes; `iou` is about masks. `excess`: the largest error of
    an element over its limit, where elements have limits."""

    max_error_over_peak: float
    relative_l2: float
    cosine: float
    same_top1: bool | None
    psnr_db: float
    iou: float | None = None
    excess: float | None = None
    outputs: tuple[float, ...] = ()  # the first figure of each output, where there are several

    def of(self, metric: str) -> float:
        """The figure of that name.

        Raises:
            ProofError: it was not measured.
        """
        value = getattr(self, metric)
        if value is None:
            raise ProofError(f"{metric} was not measured")
        return value


@dataclass(frozen=True, slots=True)
class Row:
    """One build. `figures` compare it with the graph in float64; the row of the graph itself
    compares with the yardstick. `limit` bounds the figure that `judged` names. `found` is the
    figure that decides whether the row holds: of rounded builds and quantized nets against the
    yardstick. `fault`: the element that is furthest off, in words."""

    target: str
    build: str
    figures: Figures
    judged: Metric
    limit: float
    found: float
    holds: bool
    fault: str = ""

    @property
    def same_top1(self) -> bool | None:
        """Whether every sample keeps its first class."""
        return self.figures.same_top1

    def kept(self) -> ProofRow:
        """The row as the manifest keeps it: with four digits, or more where the limit is near."""
        def short(name: str, value: float) -> float:
            return float(beside(value, self.limit) if name == self.judged else f"{value:.4g}")

        f = self.figures
        return ProofRow(self.target, self.build,
                        short("max_error_over_peak", f.max_error_over_peak),
                        short("relative_l2", f.relative_l2), short("cosine", f.cosine),
                        f.same_top1, short("psnr_db", f.psnr_db), self.judged, self.limit,
                        self.holds, None if f.iou is None else short("iou", f.iou),
                        None if f.excess is None else short("excess", f.excess),
                        tuple(float(f"{value:.4g}") for value in f.outputs))


@dataclass(frozen=True)
class Expected:
    """What a graph must give for `inputs`: `wanted` are the yardstick's outputs, `exact` the
    graph's own in float64. The first input is random, the others are samples. `tolerance`, over the
    peak, is what a device is held to; of a quantized net it bounds the relative L2 error.

    `further` are other random inputs, for builds that round nothing which the model does not round.
    `limits`: for each of `inputs` and `further`, how far each element of each output of such a
    build may be from float64; `moves`: how far float64 may be from the yardstick. `js_runs`: on how
    many inputs the JavaScript program runs."""

    inputs: Sequence[Feeds]
    wanted: Sequence[Outputs]
    exact: Sequence[Outputs]
    further: Sequence[Feeds]
    further_wanted: Sequence[Outputs]
    further_exact: Sequence[Outputs]
    limits: Sequence[Outputs]
    moves: Sequence[Outputs]
    quantized: bool
    tolerance: float
    answer: Answer
    names: Sequence[str]
    yardstick: YardstickName
    js_runs: int


@dataclass(frozen=True)
class Proof:
    """A row for the graph in float64, and one for each build that was run as published. Where none
    was, the second row is about the graph with the published weights. `first` are the outputs of
    one of these builds, or of that graph, for the first input."""

    rows: Sequence[Row]
    first: Sequence[np.ndarray]


def prove(pack: Written, graph: Graph, expected: Expected) -> Proof:
    """The proof of a pack's files, up to the first row that does not hold.

    Raises:
        PackError: a file cannot be read.
    """
    rows = [_reference_row(expected)]
    lossy = not all(np.array_equal(array, graph.constants[name])
                    for name, array in stream_weights(pack.weights, pack.folder))
    first: Sequence[np.ndarray] = ()
    wasm, js = pack.targets.wasm, pack.targets.js
    if wasm and rows[0].holds:
        for build in wasm.files:
            row, first = prove_build(pack, wasm, build, expected, lossy)
            rows.append(row)
            if not row.holds:
                return Proof(rows, first)
    inputs = _inputs(expected, lossy)[: expected.js_runs] if js and rows[0].holds else ()
    if js and inputs:
        program = open_js(js, pack.weights, pack.folder)
        got = [program.run([feeds[place.name] for place in js.inputs]) for feeds in inputs]
        rows.append(_row("js", "module", got, expected, lossy))
        first = first or got[0]
    if not first:
        published = replace(graph, constants=read_weights(pack.weights, pack.folder))
        got = [list(interpret(published, feeds).values()) for feeds in expected.inputs]
        rows.append(_row("reference", "published weights", got, expected, lossy))
        first = got[0]
    return Proof(rows, first)


def _inputs(expected: Expected, lossy: bool) -> Sequence[Feeds]:
    """The inputs on which a build runs: a lossy one is judged on inputs like a visitor's alone."""
    if lossy or expected.quantized:
        return expected.inputs
    return [*expected.inputs, *expected.further]


def prove_build(pack: Written, wasm: WasmTarget, build: str, expected: Expected, lossy: bool
                ) -> tuple[Row, list[np.ndarray]]:
    """The row of a WebAssembly build, and its outputs for the first input. `wasm` describes the
    build, whose file is in the pack's folder. `lossy`: it rounds where the model does not."""
    got = run_build(pack, wasm, build, _inputs(expected, lossy))
    return _row("wasm", build, got, expected, lossy), got[0]


def run_build(pack: Written, wasm: WasmTarget, build: str, inputs: Sequence[Feeds]
              ) -> list[list[np.ndarray]]:
    """The outputs of a WebAssembly build for each of `inputs`. Its heap, which is as large as the
    model, is freed when this returns."""
    program = open_program(wasm, pack.weights, pack.folder, build)
    return [program.run([feeds[place.name] for place in wasm.inputs]) for feeds in inputs]


def judge_half(got: Sequence[Sequence[np.ndarray]], expected: Expected) -> Row:
    """The row of WebGPU's programs in f16, whose outputs are taken to be `got`: they must pass the
    gates of rounded weights."""
    return _row("webgpu", "f16", got, expected, lossy=True)


def device_tolerance(exact: Sequence[Outputs], wanted: Sequence[Outputs]) -> float:
    """Of the output's peak, what a device is held to before its margin."""
    distance = max(peak_error(e, w) for e, w in _pairs(exact, wanted))
    return min(at_least(CONDITION * distance, TOLERANCE), TOLERANCE_CAP)


def at_least(needed: float, limit: float) -> float:
    """`limit`, doubled until it is at least `needed`: all processors arrive at the same number."""
    while limit < needed < np.inf:
        limit *= 2
    return limit


def _pairs(got: Sequence, wanted: Sequence) -> list[tuple[np.ndarray, np.ndarray]]:
    return [_agreed(g, w)
            for gs, ws in zip(got, wanted, strict=False) for g, w in zip(gs, ws, strict=True)]


def _agreed(got: np.ndarray, want: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64 and in the shape of `want`. Where both hold the same infinity or no number,
    both are 0 here; beyond f32 a number is an infinity."""
    want = np.asarray(want, np.float64)
    got = np.asarray(got, np.float64).reshape(want.shape)
    if np.isfinite(want).all() and np.abs(want).max(initial=0.0) <= F32_MAX:
        return got, want
    one, other = (np.where(np.abs(a) > F32_MAX, np.copysign(np.inf, a), a) for a in (got, want))
    same = (np.isnan(one) & np.isnan(other)) | (np.isinf(other) & (one == other))
    return np.where(same, 0.0, one), np.where(same, 0.0, other)


def peak_of(output: np.ndarray) -> float:
    """The largest magnitude of a finite element."""
    return float(np.abs(output[np.isfinite(output)]).max(initial=0))


def peak_error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest error over the peak of `want`."""
    peak = peak_of(want) or 1.0
    with np.errstate(invalid="ignore"):
        error = np.abs(np.asarray(got, np.float64).reshape(want.shape) - want)
    return float(np.nan_to_num(error.max(initial=0), nan=np.inf)) / peak


def _row(target: str, build: str, got: Sequence, expected: Expected, lossy: bool) -> Row:
    return (_lossy_row if lossy else _exact_row)(target, build, got, expected)


def _reference_row(expected: Expected) -> Row:
    """The row of the graph in float64, against the yardstick."""
    exact = [*expected.exact, *expected.further_exact]
    wanted = [*expected.wanted, *expected.further_wanted]
    figures = _figures(expected.exact, expected.wanted, expected.answer)
    if expected.quantized:
        return Row("reference", "float64", _noted(figures), "relative_l2", expected.tolerance,
                   figures.relative_l2, figures.relative_l2 <= expected.tolerance)
    found, fault = worst_element(exact, wanted, expected.moves, expected, wanted=True)
    return Row("reference", "float64", _noted(replace(figures, excess=found)), "excess", 1.0, found,
               found <= 1, fault)


def _exact_row(target: str, build: str, got: Sequence, expected: Expected) -> Row:
    """The row of a build that rounds nothing which the model does not round."""
    exact = [*expected.exact, *expected.further_exact]
    count = min(len(got), len(expected.exact))
    figures = _figures(got[:count], expected.exact[:count], expected.answer)
    if expected.quantized:
        found = _figures(got, expected.wanted, expected.answer).relative_l2
        return Row(target, build, figures, "relative_l2", expected.tolerance, found,
                   found <= expected.tolerance)
    found, fault = worst_element(exact, got, expected.limits, expected)
    same = figures.same_top1 is not False
    return Row(target, build, replace(figures, excess=found), "excess", 1.0, found,
               found <= 1 and same, fault)


def worst_element(exact: Sequence[Outputs], others: Sequence[Outputs], limits: Sequence[Outputs],
                  expected: Expected, wanted: bool = False) -> tuple[float, str]:
    """(the largest error over its limit, that element in words) between the graph in float64 and
    other results: the yardstick's if `wanted`, else a build's."""
    worst, words = 0.0, ""
    whose = expected.yardstick if wanted else "this build"
    for es, gs, ls in zip(exact, others, limits, strict=False):
        for name, e, g, limit in zip(expected.names, es, gs, ls, strict=True):
            over = excess(g, e, limit)
            at = int(over.argmax()) if over.size else 0
            if over.size and over[at] > worst:
                worst = float(over[at])
                words = (f'element {at} of "{name}" is {np.ravel(e)[at]:.6g} in float64 and '
                         f"{np.ravel(g)[at]:.6g} by {whose}, {limit[at]:.1g} apart at most")
    return worst, words


def _lossy_row(target: str, build: str, got: Sequence, expected: Expected) -> Row:
    """The row of a build that rounds weights or values. The gate that is nearest to not holding
    decides; the figure of its metric is about the outputs that the gate is for."""
    answer, count = expected.answer, len(got)
    gate, value = worst_gate(got, expected.wanted[:count], answer)
    exact = gate_figures(got, expected.exact[:count], answer)
    figures = _figures(got, expected.exact[:count], answer)
    for metric in {worst(exact)[0].metric, gate.metric}:
        _, kept = worst([one for one in exact if one[0].metric == metric])
        figures = replace(figures, **{metric: kept})
    same = same_top1(got, expected.wanted[:count], answer) is not False
    return Row(target, build, figures, gate.metric, gate.limit, value,
               value >= gate.limit and same)


def _figures(got: Sequence, wanted: Sequence, answer: Answer) -> Figures:
    pairs, several = _pairs(got, wanted), len(wanted[0])
    errors = [peak_error(g, w) for g, w in pairs]
    return Figures(max(errors),
                   max(relative_l2(g, w) for g, w in pairs),
                   min(cosine(g, w) for g, w in pairs), same_top1(got, wanted, answer),
                   min(psnr(g, w) for g, w in pairs), outputs=tuple(
                       max(errors[i::several]) for i in range(several) if several > 1))


def _noted(figures: Figures) -> Figures:
    """Bounds of the yardstick's distance from float64, so coarse that all processors arrive at the
    same ones."""
    return replace(figures, max_error_over_peak=at_least(figures.max_error_over_peak, NOTED),
                   relative_l2=at_least(figures.relative_l2, NOTED),
                   psnr_db=min(NOTED_DB, 10.0 * (figures.psnr_db // 10)),
                   excess=None if figures.excess is None else at_least(figures.excess,
                                                                       NOTED_SHARE),
                   outputs=tuple(at_least(value, NOTED) for value in figures.outputs))


def gate_figures(got: Sequence, wanted: Sequence, answer: Answer, first: int = 0
                 ) -> list[tuple[Gate, float]]:
    """(gate, its figure) for each output of each input; `first` is the number of the first
    input, of which number 0 is random and the others are samples."""
    found = []
    for k, (outputs, wants) in enumerate(zip(got, wanted, strict=True), first):
        for i, (g, w) in enumerate(_pairs([outputs], [wants])):
            gate = choose_gate(answer, i, w.shape, sample=k > 0)
            found.append((gate, gate.measure(g, w, answer.options)))
    return found


def worst(found: Sequence[tuple[Gate, float]]) -> tuple[Gate, float]:
    """The gate that is nearest to not holding, and its figure."""
    return max(found, key=lambda one: one[0].strain(one[1]))


def worst_gate(got: Sequence, wanted: Sequence, answer: Answer, first: int = 0
               ) -> tuple[Gate, float]:
    """`worst` of `gate_figures`."""
    return worst(gate_figures(got, wanted, answer, first))


def same_top1(got: Sequence, wanted: Sequence, answer: Answer) -> bool | None:
    """Whether every sample has the same first class; None where there is no class to ask."""
    same, shown = answer.task.same, answer.shown
    if same is None or len(got) < 2:
        return None
    return all(same(g[shown], w[shown])
               for g, w in zip(got[1:], wanted[1:], strict=True))


def relative_l2(got: np.ndarray, want: np.ndarray) -> float:
    """The norm of the errors over the norm of `want`; infinite where a value is not finite."""
    error = float(np.linalg.norm(got - want) / (np.linalg.norm(want) or 1))
    return error if np.isfinite(error) else float("inf")


FAULT = "; report it as a fault of onnxpress"
UNRUN = {"onnx.reference": "; onnxruntime cannot run this model: export it so that it can"}


def require(rows: Sequence[Row], name: str, yardstick: str = "onnxruntime",
            departs: Callable[[], str] = lambda: "") -> list[ProofRow]:
    """The rows as the manifest keeps them. `departs` says which node departs from the yardstick
    first; it takes a run, so it is only asked where the graph itself does.

    Raises:
        ProofError: one does not hold.
    """
    for row in rows:
        if row.holds:
            continue
        graph = row.target == "reference"
        hint = " (top-1 differs)" if row.same_top1 is False else ""
        found = beside(row.found, row.limit, digits=3)
        whom = yardstick if graph or row.judged != "excess" else "the graph in float64"
        what = row.fault or f"{row.judged} is {found}, the limit is {row.limit:.3g}{hint}"
        advice = (departs() or UNRUN.get(yardstick, FAULT)) if graph else FAULT
        raise ProofError(f"{name}: {row.target} {row.build} differs from {whom}: {what}{advice}")
    return [row.kept() for row in rows]
