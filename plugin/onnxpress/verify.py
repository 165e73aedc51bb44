"""The proof: a pack's published bytes are run and compared with onnxruntime on the same inputs.

Both WebAssembly builds run through wasmtime, with weights decoded from the shards; the graph also
runs through the float64 interpreter. A breach is an error and nothing is published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from .errors import ProofError
from .files import read_file
from .graph import Graph
from .interpret import interpret
from .shards import read_weights
from .wasmtime_runner import WasmProgram

Feeds = Mapping[str, np.ndarray]

TOLERANCE = 1e-4  # of the output's peak, f32 weights
# A net can be ill-conditioned: then onnxruntime's own f32 result is this far from float64's, and
# no second f32 implementation can be nearer to it than a few times that.
CONDITION, TOLERANCE_CAP = 4, 5e-4
QUANTIZED_L2 = 0.08  # activations on an integer grid: one rounding tie moves all that follows
# Where onnxruntime's own result moves further when the input moves by NOISE, that distance is
# the scale: two results that are each as far from the truth are sqrt(2) of it apart, and it is
# itself estimated from a few draws.
NOISE, DRAWS, APART = 1e-7, 4, 1.5

# Gates for encodings that change the weights.
COSINE, PSNR_DB = 0.999, 40.0


@dataclass(frozen=True, slots=True)
class Row:
    """One build against onnxruntime, over all inputs. `limit` bounds what `judged` names."""

    target: str
    build: str
    max_error_over_peak: float
    relative_l2: float
    cosine: float
    same_top1: bool | None
    psnr_db: float
    judged: str
    limit: float
    holds: bool


class Reference:
    """onnxruntime on the original model: the yardstick."""

    def __init__(self, model_bytes: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
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
    """What a graph must give: onnxruntime's outputs for `inputs`, the graph's own in float64 for
    the first of them, and the tolerance that follows."""

    inputs: Sequence[Feeds]
    wanted: Sequence[Sequence[np.ndarray]]
    exact: Sequence[np.ndarray]
    quantized: bool
    tolerance: float  # of the peak; of the relative L2 error where quantized


def expect(graph: Graph, reference: Reference, inputs: Sequence[Feeds], *,
           quantized: bool) -> Expected:
    """The yardstick of every encoding of `graph`; `inputs` are tried in turn."""
    wanted = [reference.run(feeds) for feeds in inputs]
    exact = list(interpret(graph, inputs[0]).values())
    if quantized:
        moved = max(_movement(reference, *pair) for pair in zip(inputs, wanted, strict=True))
        tolerance = max(QUANTIZED_L2, APART * moved)
    else:
        tolerance = _tolerance([exact], wanted[:1])
    return Expected(inputs, wanted, exact, quantized, tolerance)


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
    """The proof of the pack in `folder`; whether it holds is for `require` to say."""
    rows = [_row("reference", "float64", [expected.exact], expected, lossy=False)]
    weights = read_weights(manifest, folder)
    lossy = not all(np.array_equal(weights[n], a) for n, a in graph.constants.items())
    if "wasm" not in manifest["targets"]:
        published = Graph(graph.inputs, graph.outputs, graph.nodes, graph.values, weights)
        first = list(interpret(published, expected.inputs[0]).values())
        rows.append(_row("reference", "published weights", [first], expected, lossy))
        return Proof(rows, first)
    about = manifest["targets"]["wasm"]
    for build, entry in about["files"].items():
        program = WasmProgram(read_file(entry, folder), about, weights)
        got = [program.run([feeds[n] for n in graph.inputs]) for feeds in expected.inputs]
        rows.append(_row("wasm", build, got, expected, lossy))
    return Proof(rows, got[0])


def _tolerance(exact: Sequence, wanted: Sequence) -> float:
    distance = max(_peak_error(e, w) for e, w in _pairs(exact, wanted))
    return float(min(max(TOLERANCE, CONDITION * distance), TOLERANCE_CAP))


def _pairs(got: Sequence, wanted: Sequence) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.asarray(g, np.float64).reshape(w.shape), np.asarray(w, np.float64))
            for gs, ws in zip(got, wanted, strict=True) for g, w in zip(gs, ws, strict=True)]


def _peak_error(got: np.ndarray, want: np.ndarray) -> float:
    peak = float(np.abs(want).max(initial=0)) or 1.0
    error = np.abs(np.asarray(got, np.float64).reshape(want.shape) - want)
    return float(np.nan_to_num(error.max(initial=0), nan=np.inf)) / peak


def _row(target: str, build: str, got: Sequence, expected: Expected, lossy: bool) -> Row:
    """`got`: outputs for the first inputs of `expected`."""
    pairs = _pairs(got, expected.wanted[: len(got)])
    peak = max(_peak_error(g, w) for g, w in pairs)
    l2 = max(_relative_l2(g, w) for g, w in pairs)
    cosine = min(_cosine(g, w) for g, w in pairs)
    vectors = [(g, w) for g, w in pairs if _is_classification(w)]
    top1 = all(g.argmax() == w.argmax() for g, w in vectors) if vectors else None
    psnr = min(_psnr(g, w) for g, w in pairs)
    if lossy:
        judged, limit = ("cosine", COSINE) if vectors else ("psnr_db", PSNR_DB)
        holds = (cosine >= COSINE and bool(top1)) if vectors else psnr >= PSNR_DB
    elif expected.quantized:
        judged, limit, holds = "relative_l2", expected.tolerance, l2 <= expected.tolerance
    else:
        judged, limit = "max_error_over_peak", expected.tolerance
        holds = peak <= expected.tolerance and top1 is not False
    return Row(target, build, peak, l2, cosine, top1, psnr, judged, limit, bool(holds))


def _relative_l2(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.linalg.norm(got - want) / (np.linalg.norm(want) or 1))


def _is_classification(output: np.ndarray) -> bool:
    """One vector of scores, whatever unit axes surround it."""
    return output.size > 1 and output.size == max(output.shape)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / scale if scale else float(np.allclose(a, b))


def _psnr(got: np.ndarray, want: np.ndarray) -> float:
    """In dB, against the range that the reference spans; capped at 200."""
    span = float(np.ptp(want)) or 1.0
    mse = float(np.mean((got - want) ** 2))
    return min(200.0, 10 * float(np.log10(span * span / mse))) if mse else 200.0


def require(rows: Sequence[Row], name: str) -> list[dict]:
    """The rows as JSON.

    Raises:
        ProofError: one does not hold.
    """
    for row in rows:
        if not row.holds:
            value = getattr(row, row.judged)
            hint = " (top-1 differs)" if row.same_top1 is False else ""
            raise ProofError(f"{name}: {row.target} {row.build} differs from onnxruntime: "
                             f"{row.judged} is {value:.3g}, the limit is {row.limit:.3g}{hint}")
    return [{k: _short(v) for k, v in asdict(row).items()} for row in rows]


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
