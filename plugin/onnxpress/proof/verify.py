"""The proof: a pack's published bytes are run and compared with onnxruntime on the same inputs.

Both WebAssembly builds run through wasmtime, with weights decoded from the shards; the graph also
runs through the float64 interpreter. A breach is an error and nothing is published.

onnxruntime's last bits depend on the processor, and a manifest must not. So onnxruntime decides
whether a row holds, but the figures that the manifest keeps compare with the graph in float64. The
first row bounds the distance between the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime

from ..errors import ProofError
from ..graph.graph import Graph
from ..ops.interpret import interpret
from ..pack.proof import ProofRow
from ..pack.targets import WasmTarget
from ..pack.weights import Metric
from ..run.wasmtime import open_program
from ..tasks.base import Answer, Gate
from ..tasks.gates import choose_gate, cosine, psnr
from ..weights.shards import read_weights, stream_weights
from ..words import beside
from .written import Written

Feeds = Mapping[str, np.ndarray]

TOLERANCE = 1e-4  # of the output's peak, f32 weights; source: decision 0006
# Nearer than this, onnxruntime and float64 count as equal: max error over peak and relative L2, dB.
NOTED, NOTED_DB = 1e-5, 80.0
# A net can be ill-conditioned: then onnxruntime's own f32 result is far from float64's, and another
# f32 implementation may be a few times that distance away from it. Source: decision 0006.
CONDITION, TOLERANCE_CAP = 4, 5e-4
# Relative L2 of quantized nets, whose activations lie on an integer grid: one rounding tie moves
# all values after it. Source: decision 0006; the value was chosen, not measured.
QUANTIZED_L2 = 0.08
# A quantized net may move onnxruntime's own result further than that when the input moves by NOISE.
# Then that distance is the scale: two results that are each so far from the truth are sqrt(2) times
# as far apart, and the distance is itself an estimate from DRAWS draws. Source: decision 0006.
NOISE, DRAWS, APART = 1e-7, 4, 1.5


@dataclass(frozen=True, slots=True)
class Figures:
    """How far some outputs are from others; the worst input counts. `same_top1` is about samples
    and None where the task names no classes; `iou` is about masks."""

    max_error_over_peak: float
    relative_l2: float
    cosine: float
    same_top1: bool | None
    psnr_db: float
    iou: float | None = None

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
    compares with onnxruntime. `limit` bounds the figure that `judged` names. `found` is that figure
    against onnxruntime, and it decides whether the row holds."""

    target: str
    build: str
    figures: Figures
    judged: Metric
    limit: float
    found: float
    holds: bool

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
                        self.holds, None if f.iou is None else short("iou", f.iou))


class Reference:
    """onnxruntime on the original model. `arrays` are weights that the model names and does not
    hold."""

    def __init__(self, model_bytes: bytes, arrays: Mapping[str, np.ndarray] | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Without VNNI, onnxruntime's kernels of whole numbers let sums of u8 * s8 saturate at i16.
        # Further optimizations put these kernels in place of QDQ, or fail where sums must be exact.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.add_session_config_entry("session.x64quantprecision", "1")
        # Idle threads that spin would take the processor from other builds.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.arrays = {n: onnxruntime.OrtValue.ortvalue_from_numpy(a)
                       for n, a in (arrays or {}).items()}
        if arrays:
            options.add_external_initializers(list(self.arrays), list(self.arrays.values()))
            # Packed copies would double the memory of large weights.
            options.add_session_config_entry("session.disable_prepacking", "1")
        self.session = onnxruntime.InferenceSession(model_bytes, options,
                                                    providers=["CPUExecutionProvider"])
        self.types = {i.name: i.type for i in self.session.get_inputs()}

    def run(self, feeds: Feeds) -> list[np.ndarray]:
        """Outputs in the model's order and layout."""
        cast = {name: array.astype(_dtype(self.types[name])) for name, array in feeds.items()}
        return [np.asarray(output) for output in self.session.run(None, cast)]


def _dtype(kind: str) -> np.dtype:
    name = kind.removeprefix("tensor(").removesuffix(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))


@dataclass(frozen=True)
class Expected:
    """What a graph must give for `inputs`: `wanted` are onnxruntime's outputs, `exact` the graph's
    own in float64. The first input is random, the others are samples. `tolerance` bounds the error
    over the peak or, of a quantized net, the relative L2 error."""

    inputs: Sequence[Feeds]
    wanted: Sequence[Sequence[np.ndarray]]
    exact: Sequence[Sequence[np.ndarray]]
    quantized: bool
    tolerance: float
    answer: Answer


def expect(reference: Reference, inputs: Sequence[Feeds], exact: Sequence[Sequence[np.ndarray]], *,
           quantized: bool, answer: Answer) -> Expected:
    """What every encoding of a graph is compared with; `exact` are the graph's outputs for
    `inputs` in float64."""
    wanted = [reference.run(feeds) for feeds in inputs]
    if quantized:
        moved = max(_movement(reference, *pair) for pair in zip(inputs, wanted, strict=True))
        tolerance = _at_least(APART * moved, QUANTIZED_L2)
    else:
        tolerance = _tolerance(exact, wanted)
    return Expected(inputs, wanted, _shaped(exact, wanted), quantized, tolerance, answer)


def _movement(reference: Reference, feeds: Feeds, wanted: Sequence[np.ndarray]) -> float:
    """How far, in relative L2, the reference's result moves with noise of 1e-7 on its input."""
    random = np.random.default_rng(0)
    moved = [reference.run({name: array + NOISE * random.standard_normal(array.shape)
                            for name, array in feeds.items()}) for _ in range(DRAWS)]
    return max(_relative_l2(g, w) for g, w in _pairs(moved, [wanted] * DRAWS))


@dataclass(frozen=True)
class Proof:
    """A row for the graph in float64, and one for each WebAssembly build as published. Without
    WebAssembly, the second row is about the graph with the published weights. `first` are the
    outputs of the last row for the first input."""

    rows: Sequence[Row]
    first: Sequence[np.ndarray]


def prove(pack: Written, graph: Graph, expected: Expected) -> Proof:
    """The proof of a pack's files, up to the first row that does not hold.

    Raises:
        PackError: a file cannot be read.
    """
    rows = [_row("reference", "float64", expected.exact, expected, lossy=False)]
    lossy = not all(np.array_equal(array, graph.constants[name])
                    for name, array in stream_weights(pack.weights, pack.folder))
    wasm = pack.targets.wasm
    if wasm is None:
        published = replace(graph, constants=read_weights(pack.weights, pack.folder))
        got = [list(interpret(published, feeds).values()) for feeds in expected.inputs]
        rows.append(_row("reference", "published weights", got, expected, lossy))
        return Proof(rows, got[0])
    first: Sequence[np.ndarray] = ()
    for build in wasm.files:
        row, first = prove_build(pack, wasm, build, expected, lossy)
        rows.append(row)
        if not row.holds:
            break
    return Proof(rows, first)


def prove_build(pack: Written, wasm: WasmTarget, build: str, expected: Expected, lossy: bool
                ) -> tuple[Row, list[np.ndarray]]:
    """The row of a WebAssembly build, and its outputs for the first input. `wasm` describes the
    build, whose file is in the pack's folder. `lossy`: it rounds where the model does not."""
    got = run_build(pack, wasm, build, expected.inputs)
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


def _shaped(exact: Sequence, wanted: Sequence) -> list[list[np.ndarray]]:
    """`exact` in the model's own shapes."""
    return [[np.reshape(e, w.shape) for e, w in zip(es, ws, strict=True)]
            for es, ws in zip(exact, wanted, strict=True)]


def _tolerance(exact: Sequence, wanted: Sequence) -> float:
    distance = max(peak_error(e, w) for e, w in _pairs(exact, wanted))
    return min(_at_least(CONDITION * distance, TOLERANCE), TOLERANCE_CAP)


def _at_least(needed: float, limit: float) -> float:
    """`limit`, doubled until it is at least `needed`: all processors arrive at the same number."""
    while limit < needed < np.inf:
        limit *= 2
    return limit


def _pairs(got: Sequence, wanted: Sequence) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.asarray(g, np.float64).reshape(w.shape), np.asarray(w, np.float64))
            for gs, ws in zip(got, wanted, strict=True) for g, w in zip(gs, ws, strict=True)]


def peak_error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest error over the peak of `want`."""
    peak = float(np.abs(want).max(initial=0)) or 1.0
    error = np.abs(np.asarray(got, np.float64).reshape(want.shape) - want)
    return float(np.nan_to_num(error.max(initial=0), nan=np.inf)) / peak


def _row(target: str, build: str, got: Sequence, expected: Expected, lossy: bool) -> Row:
    return (_lossy_row if lossy else _exact_row)(target, build, got, expected)


def _exact_row(target: str, build: str, got: Sequence, expected: Expected) -> Row:
    """The row of a build that rounds nothing which the model does not round."""
    answer, limit = expected.answer, expected.tolerance
    found = _figures(got, expected.wanted, answer)
    figures = (_noted(found) if got is expected.exact else _figures(got, expected.exact, answer))
    judged: Metric = "relative_l2" if expected.quantized else "max_error_over_peak"
    same = expected.quantized or found.same_top1 is not False
    return Row(target, build, figures, judged, limit, found.of(judged),
               found.of(judged) <= limit and same)


def _lossy_row(target: str, build: str, got: Sequence, expected: Expected) -> Row:
    """The row of a build that rounds weights or values. The gate that is nearest to not holding
    decides; the figure of its metric is about the outputs that the gate is for."""
    answer = expected.answer
    gate, value = worst_gate(got, expected.wanted, answer)
    exact = gate_figures(got, expected.exact, answer)
    figures = _figures(got, expected.exact, answer)
    for metric in {worst(exact)[0].metric, gate.metric}:
        _, kept = worst([one for one in exact if one[0].metric == metric])
        figures = replace(figures, **{metric: kept})
    same = same_top1(got, expected.wanted, answer) is not False
    return Row(target, build, figures, gate.metric, gate.limit, value,
               value >= gate.limit and same)


def _figures(got: Sequence, wanted: Sequence, answer: Answer) -> Figures:
    pairs = _pairs(got, wanted)
    return Figures(max(peak_error(g, w) for g, w in pairs),
                   max(_relative_l2(g, w) for g, w in pairs),
                   min(cosine(g, w) for g, w in pairs), same_top1(got, wanted, answer),
                   min(psnr(g, w) for g, w in pairs))


def _noted(figures: Figures) -> Figures:
    """Bounds of onnxruntime's distance from float64, so coarse that all processors arrive at the
    same ones."""
    return replace(figures, max_error_over_peak=_at_least(figures.max_error_over_peak, NOTED),
                   relative_l2=_at_least(figures.relative_l2, NOTED),
                   psnr_db=min(NOTED_DB, 10.0 * (figures.psnr_db // 10)))


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


def _relative_l2(got: np.ndarray, want: np.ndarray) -> float:
    error = float(np.linalg.norm(got - want) / (np.linalg.norm(want) or 1))
    return error if np.isfinite(error) else float("inf")


def require(rows: Sequence[Row], name: str) -> list[ProofRow]:
    """The rows as the manifest keeps them.

    Raises:
        ProofError: one does not hold.
    """
    for row in rows:
        if not row.holds:
            hint = " (top-1 differs)" if row.same_top1 is False else ""
            found = beside(row.found, row.limit, digits=3)
            raise ProofError(f"{name}: {row.target} {row.build} differs from onnxruntime: "
                             f"{row.judged} is {found}, the limit is {row.limit:.3g}{hint}")
    return [row.kept() for row in rows]
