"""The proof: a pack's published bytes are run and compared with onnxruntime on the same inputs.

Both WebAssembly builds run through wasmtime, with weights decoded from the shards; the graph also
runs through the float64 interpreter. A breach is an error and nothing is published.

onnxruntime's last bits depend on the processor, a manifest must not: whether a row holds is decided
against onnxruntime, the figures that are kept are against the graph in float64, which itself is
within a bound of onnxruntime that the first row states.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ..errors import ProofError
from ..graph.graph import Graph
from ..ops.interpret import interpret
from ..run.wasmtime import open_program
from ..tasks.base import Answer, Gate
from ..tasks.gates import choose_gate, cosine, psnr
from ..weights.shards import read_weights, stream_weights

Feeds = Mapping[str, np.ndarray]

TOLERANCE = 1e-4  # of the output's peak, f32 weights
NOTED, NOTED_DB = 1e-5, 80.0  # distances of onnxruntime from float64 below it are all one
# A net can be ill-conditioned: then onnxruntime's own f32 result is this far from float64's, and
# no second f32 implementation can be nearer to it than a few times that.
CONDITION, TOLERANCE_CAP = 4, 5e-4
QUANTIZED_L2 = 0.08  # activations on an integer grid: one rounding tie moves all that follows
# Where onnxruntime's own result moves further when the input moves by NOISE, that distance is
# the scale: two results that are each as far from the truth are sqrt(2) of it apart, and it is
# itself estimated from a few draws.
NOISE, DRAWS, APART = 1e-7, 4, 1.5


@dataclass(frozen=True, slots=True)
class Row:
    """One build against the graph in float64 (that one against onnxruntime), the worst over all
    inputs. `limit` bounds what `judged` names, and `found` is that figure against onnxruntime, by
    which the row holds or not. `same_top1` is about samples, None where nobody asks for a class;
    `iou` is about masks."""

    target: str
    build: str
    max_error_over_peak: float
    relative_l2: float
    cosine: float
    same_top1: bool | None
    psnr_db: float
    judged: str
    limit: float
    found: float
    holds: bool
    iou: float | None = None


class Reference:
    """onnxruntime on the original model: the yardstick. `arrays` are weights that the model names
    and does not hold."""

    def __init__(self, model_bytes: bytes, arrays: Mapping[str, np.ndarray] | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Without VNNI its kernels of whole numbers let sums of u8 * s8 saturate at i16. Further
        # optimizations put them in place of QDQ, or fail where such sums are to be exact.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.add_session_config_entry("session.x64quantprecision", "1")
        # Its idle threads would take the processor from other builds.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.arrays = {n: onnxruntime.OrtValue.ortvalue_from_numpy(a)
                       for n, a in (arrays or {}).items()}
        if arrays:
            options.add_external_initializers(list(self.arrays), list(self.arrays.values()))
            # Packed copies would stand beside weights that are large.
            options.add_session_config_entry("session.disable_prepacking", "1")
        self.session = onnxruntime.InferenceSession(model_bytes, options,
                                                    providers=["CPUExecutionProvider"])
        self.types = {i.name: i.type for i in self.session.get_inputs()}

    def run(self, feeds: Feeds) -> list[np.ndarray]:
        """Outputs in the model's order and layout."""
        cast = {name: array.astype(_dtype(self.types[name])) for name, array in feeds.items()}
        return self.session.run(None, cast)


def _dtype(kind: str) -> np.dtype:
    name = kind.removeprefix("tensor(").removesuffix(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))


@dataclass(frozen=True)
class Expected:
    """What a graph must give: onnxruntime's outputs for `inputs`, the graph's own in float64, and
    the tolerance that follows. The first input is random, the others are samples."""

    inputs: Sequence[Feeds]
    wanted: Sequence[Sequence[np.ndarray]]
    exact: Sequence[Sequence[np.ndarray]]
    quantized: bool
    tolerance: float  # of the peak; of the relative L2 error where quantized
    answer: Answer


def expect(reference: Reference, inputs: Sequence[Feeds], exact: Sequence[Sequence[np.ndarray]], *,
           quantized: bool, answer: Answer) -> Expected:
    """The yardstick of every encoding of a graph whose outputs for `inputs` are `exact`."""
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
    """A row for the graph in float64 and for each WebAssembly build as published (without one,
    for the graph with the published weights); `first` are its outputs for the first inputs."""

    rows: Sequence[Row]
    first: Sequence[np.ndarray]


def prove(manifest: Mapping[str, Any], folder: Path, graph: Graph, expected: Expected) -> Proof:
    """The proof of the pack in `folder`, up to the first row that does not hold."""
    rows = [_row("reference", "float64", expected.exact, expected, lossy=False)]
    lossy = not all(np.array_equal(array, graph.constants[name])
                    for name, array in stream_weights(manifest, folder))
    if "wasm" not in manifest["targets"]:
        published = replace(graph, constants=read_weights(manifest, folder))
        got = [list(interpret(published, feeds).values()) for feeds in expected.inputs]
        rows.append(_row("reference", "published weights", got, expected, lossy))
        return Proof(rows, got[0])
    for build in manifest["targets"]["wasm"]["files"]:
        row, first = prove_build(manifest, folder, build, expected, lossy)
        rows.append(row)
        if not row.holds:
            break
    return Proof(rows, first)


def prove_build(manifest: Mapping[str, Any], folder: Path, build: str, expected: Expected,
                lossy: bool) -> tuple[Row, list[np.ndarray]]:
    """The row of a WebAssembly build of the pack in `folder` and its outputs for the first input.
    `lossy`: it rounds what the model does not."""
    got = run_build(manifest, folder, build, expected.inputs)
    return _row("wasm", build, got, expected, lossy), got[0]


def run_build(manifest: Mapping[str, Any], folder: Path, build: str,
              inputs: Sequence[Feeds]) -> list[list[np.ndarray]]:
    """The outputs of a WebAssembly build. Its heap, as large as the model, is gone afterwards."""
    program = open_program(manifest, folder, build)
    names = [port["name"] for port in manifest["inputs"]]
    return [program.run([feeds[n] for n in names]) for feeds in inputs]


def judge_half(got: Sequence[Sequence[np.ndarray]], expected: Expected) -> dict:
    """The row, as JSON, of WebGPU's programs in f16, whose outputs are taken to be `got`: they must
    keep what rounded weights must."""
    return _json(_row("webgpu", "f16", got, expected, lossy=True))


def _shaped(exact: Sequence, wanted: Sequence) -> list[list[np.ndarray]]:
    """`exact` in the model's own shapes."""
    return [[np.reshape(e, w.shape) for e, w in zip(es, ws, strict=True)]
            for es, ws in zip(exact, wanted, strict=True)]


def _tolerance(exact: Sequence, wanted: Sequence) -> float:
    distance = max(peak_error(e, w) for e, w in _pairs(exact, wanted))
    return min(_at_least(CONDITION * distance, TOLERANCE), TOLERANCE_CAP)


def _at_least(needed: float, limit: float) -> float:
    """`limit`, doubled until it is enough: a step that all processors take alike."""
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
    found = _figures(got, expected.wanted, expected.answer, lossy)
    kept = (_noted(found) if got is expected.exact
            else _figures(got, expected.exact, expected.answer, lossy))
    if lossy:
        gate = found["gate"]
        judged, limit, holds = gate.metric, gate.limit, found[gate.metric] >= gate.limit
    else:
        judged = "relative_l2" if expected.quantized else "max_error_over_peak"
        limit, holds = expected.tolerance, found[judged] <= expected.tolerance
    if lossy or not expected.quantized:
        holds = holds and found["same_top1"] is not False
    kept = {name: value for name, value in kept.items() if name != "gate"}
    return Row(target, build, judged=judged, limit=limit, found=found[judged], holds=bool(holds),
               **kept)


def _figures(got: Sequence, wanted: Sequence, answer: Answer, lossy: bool) -> dict[str, Any]:
    """Those of a Row; where weights are rounded also the "gate" that is nearest to not holding,
    whose figure is that of the outputs it is about."""
    pairs = _pairs(got, wanted)
    figures: dict[str, Any] = {
        "max_error_over_peak": max(peak_error(g, w) for g, w in pairs),
        "relative_l2": max(_relative_l2(g, w) for g, w in pairs),
        "cosine": min(cosine(g, w) for g, w in pairs),
        "psnr_db": min(psnr(g, w) for g, w in pairs),
        "same_top1": same_top1(got, wanted, answer)}
    if lossy:
        figures["gate"], value = worst_gate(got, wanted, answer)
        figures[figures["gate"].metric] = value
    return figures


def _noted(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Bounds of onnxruntime's distance from float64, in steps that all processors take alike."""
    bounds = {name: _at_least(figures[name], NOTED)
              for name in ("max_error_over_peak", "relative_l2")}
    return {**figures, **bounds, "psnr_db": min(NOTED_DB, 10.0 * (figures["psnr_db"] // 10))}


def worst_gate(got: Sequence, wanted: Sequence, answer: Answer, first: int = 0
               ) -> tuple[Gate, float]:
    """The gate that is nearest to not holding, and its figure, for the inputs from number `first`
    on."""
    found = []
    for k, (outputs, wants) in enumerate(zip(got, wanted, strict=True), first):
        for i, (g, w) in enumerate(_pairs([outputs], [wants])):
            gate = choose_gate(answer, i, w.shape, sample=k > 0)
            found.append((gate, gate.measure(g, w, answer.output)))
    return max(found, key=lambda one: one[0].strain(one[1]))


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


def require(rows: Sequence[Row], name: str) -> list[dict]:
    """The rows as JSON.

    Raises:
        ProofError: one does not hold.
    """
    for row in rows:
        if not row.holds:
            hint = " (top-1 differs)" if row.same_top1 is False else ""
            raise ProofError(f"{name}: {row.target} {row.build} differs from onnxruntime: "
                             f"{row.judged} is {row.found:.3g}, the limit is {row.limit:.3g}{hint}")
    return [_json(row) for row in rows]


def _json(row: Row) -> dict:
    plain = asdict(row)
    del plain["found"]
    if row.iou is None:
        del plain["iou"]
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in plain.items()}
