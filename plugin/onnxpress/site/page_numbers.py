"""Facts of a manifest in words and rounded numbers, for pages and tables.

A figure beside its limit has as many digits as show on which side of the limit it lies.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..manifest.manifest import Manifest, Statistics
from ..pack.proof import F16, ProofRow
from ..pack.weights import Metric, Tried, WeightTensor
from ..targets import TARGETS
from ..tasks import TASKS
from ..weights.encodings import PLAIN
from ..words import beside, count, exponent, flops, percent_width, significant, size

BUILDS = {"reference": "The graph in float64",
          **{build: title for t in TARGETS.values() for build, title in t.builds.items()}}
YARDSTICKS = {"onnxruntime": "onnxruntime", "onnx.reference": "ONNX's own reference implementation",
              "graph": ""}
UNKNOWN = Statistics(onnx_bytes=0, parameters=0, flops=0, operators={})


@dataclass(frozen=True, slots=True)
class TargetSizes:
    """A target in the table of a page; `program` and `download` in bytes."""

    title: str
    program: int
    steps: int
    download: int


@dataclass(frozen=True, slots=True)
class TriedWords:
    """An encoding that was tried, in words; `bytes` of all shards."""

    encoding: str
    bytes: int
    figure: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """Sizes and counts for the section "How it was compiled". `half`: a sentence on f16, or empty.
    `inputs`: on what the proof ran. `top1`: whether rows of the proof tell the first class.
    `yardstick`: what the graph in float64 was compared with, or empty."""

    weights_bytes: int
    encoding: str
    tried: Sequence[TriedWords]
    half: str
    parameters: int
    flops: int
    targets: Sequence[TargetSizes]
    inputs: str
    top1: bool
    yardstick: str


def facts_of(manifest: Manifest) -> Facts:
    """Sizes and counts for the section "How it was compiled"."""
    weights, statistics = manifest.weights, manifest.statistics or UNKNOWN
    targets = []
    for name, target in manifest.targets.named().items():
        program = program_bytes(manifest, name)
        targets.append(TargetSizes(TARGETS[name].title, program, len(target.steps),
                                   program + weights.bytes))
    inputs, demo = "random inputs", manifest.demo
    if demo and demo.samples:
        words, samples = TASKS[demo.task.name].kind.words, len(demo.samples)
        inputs += f" and on the {f'{samples} {words.many}' if samples > 1 else words.one}"
    return Facts(
        weights_bytes=weights.bytes,
        encoding=weights.encoding or _main_encoding(weights.tensors),
        tried=[tried(row) for row in weights.tried],
        half=half_precision(manifest.f16),
        parameters=statistics.parameters,
        flops=statistics.flops,
        targets=targets,
        inputs=inputs,
        top1=any(row.same_top1 is not None for row in manifest.proof),
        yardstick=YARDSTICKS[manifest.yardstick])


def program_bytes(manifest: Manifest, target: str) -> int:
    """Of the target's largest build; a visit loads one."""
    files = manifest.targets.named()[target].files.values()
    return max((file.bytes for file in files), default=0)


def _main_encoding(tensors: Sequence[WeightTensor]) -> str:
    """The encoding of most bytes; biases and tables are always f32."""
    totals: dict[str, int] = {}
    for tensor in tensors:
        totals[tensor.encoding] = totals.get(tensor.encoding, 0) + tensor.bytes
    return max(totals, key=totals.__getitem__, default=PLAIN)


def build(row: ProofRow) -> str:
    """The title of a row of the proof."""
    return BUILDS.get(row.target) or BUILDS.get(row.build) or f"{row.target} {row.build}"


@dataclass(frozen=True, slots=True)
class Figure:
    """How a metric is written: its short name and the one in a table, a writer and its digits, a
    unit, and whether more is better."""

    short: str
    name: str
    write: Callable[[float, int], str]
    digits: int
    unit: str = ""
    more: bool = False


def _decimals(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"


FIGURES: Mapping[Metric, Figure] = {
    "psnr_db": Figure("PSNR", "signal to noise", _decimals, 0, " dB", more=True),
    "cosine": Figure("cosine", "cosine", _decimals, 4, more=True),
    "iou": Figure("IoU", "shared area", _decimals, 4, more=True),
    "relative_l2": Figure("relative L2", "relative L2", significant, 2),
    "max_error_over_peak": Figure("error", "error", exponent, 2),
    "excess": Figure("error over its limit", "error of an element over its limit", significant, 2),
}


def required(row: ProofRow) -> str:
    """The row's limit; with the figure, unless that is the largest error, which has its own column.
    """
    figure, value = FIGURES[row.judged], getattr(row, row.judged)
    limit = f"{'at least' if figure.more else 'at most'} {_limit(figure, row.limit)}"
    if row.judged == "max_error_over_peak" or value is None:
        return limit
    return f"{figure.name} {_written(figure, value, row.limit)}, {limit}"


def error(row: ProofRow) -> str:
    """The largest error over the output's peak, such as '1.2e-6'."""
    if row.judged == "max_error_over_peak":
        return beside(row.max_error_over_peak, row.limit, exponent, 2)
    return exponent(row.max_error_over_peak)


def _written(figure: Figure, value: float, limit: float) -> str:
    return beside(value, limit, figure.write, figure.digits) + figure.unit


def _limit(figure: Figure, limit: float) -> str:
    text = exponent(limit) if figure.write is exponent else f"{limit:g}"
    return text + figure.unit


def tried(row: Tried) -> TriedWords:
    """An encoding that was tried, in words."""
    reason = f", {row.reason}" if row.reason else ""
    return TriedWords(row.encoding + reason, row.bytes,
                      compared(row.judged, row.value, row.limit, row.same_top1), row.holds)


def compared(judged: Metric, value: float, limit: float, same_top1: bool | None) -> str:
    """'cosine 0.9729 < 0.999'"""
    figure = FIGURES[judged]
    sign = ("≥" if value >= limit else "<") if figure.more else ("≤" if value <= limit else ">")
    text = f"{figure.short} {_written(figure, value, limit)} {sign} {_limit(figure, limit)}"
    return text + (", another first class" if same_top1 is False else "")


def half_precision(facts: F16 | None) -> str:
    """A sentence on f16, or "" for a pack that says nothing about it."""
    if not facts or not facts.layer:
        return ""
    peak = f"{facts.peak:,.0f}" if facts.peak >= 100 else f"{facts.peak:.3g}"
    if facts.proof:
        row = facts.proof
        figure = compared(row.judged, getattr(row, row.judged), row.limit, row.same_top1)
        if facts.holds:
            return (f"Its values reach {peak} at most, in {facts.layer}; "
                    f"a GPU with f16 keeps them in f16 ({figure}).")
        return f"Values kept in f16 would harm its results ({figure}); they stay in f32."
    if facts.holds:
        return (f"Its values reach {peak} at most, in {facts.layer}; "
                "arithmetic in f16 could hold them.")
    return (f"Arithmetic in f16 could not hold {facts.layer}, whose values reach {peak}; "
            "the model runs in f32.")


FILTERS: Mapping[str, Callable[..., str]] = {
    "size": size,
    "count": count,
    "flops": flops,
    "error": error,
    "percent_width": percent_width,
    "build": build,
    "required": required,
}
