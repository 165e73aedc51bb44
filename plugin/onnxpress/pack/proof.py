"""Types of the manifest: what was measured at the build, and what a device must reproduce."""

from dataclasses import dataclass
from typing import Literal

from .weights import Metric


@dataclass(frozen=True, slots=True)
class GoldenOutput:
    """Some elements of an output for the golden inputs."""

    indices: tuple[int, ...]
    """of the kept elements in the flat output, evenly spread"""
    values: tuple[float, ...]
    peak: float
    """the largest magnitude in the whole output"""


@dataclass(frozen=True, slots=True)
class Golden:
    """Random inputs, and the outputs that the published program gave for them at the build. Every
    device repeats the run and compares."""

    seed: int
    """of xorshift32, which draws the inputs"""
    ranges: tuple[tuple[float, float], ...]
    """for each input, its smallest and its largest value"""
    outputs: tuple[GoldenOutput, ...]
    """one for each output of the model"""
    metric: Literal["peak", "l2"]
    """peak: the largest error over the output's peak; l2: the norm of the errors over the norm of
    the values"""
    tolerance: float


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a build's outputs may be from the golden ones."""

    metric: Literal["peak", "l2"]
    tolerance: float


@dataclass(frozen=True, slots=True)
class ProofRow:
    """One build, measured at the build time of the pack over all inputs tried; the worst input
    counts. The figures compare with the graph in float64, the row of the graph itself with
    the manifest's yardstick. Rows of rounded weights and of quantized models are decided against
    the yardstick, all others against the graph in float64."""

    target: str
    """"reference" for the graph in float64 itself"""
    build: str
    max_error_over_peak: float
    """the largest error, over the output's largest magnitude"""
    relative_l2: float
    """the norm of the errors, over the norm of the output"""
    cosine: float
    same_top1: bool | None
    """whether every sample keeps its first class; null where the model names no classes"""
    psnr_db: float
    judged: Metric
    """the figure that decides"""
    limit: float
    """of that figure"""
    holds: bool
    iou: float | None = None
    """of a mask: intersection over union"""
    excess: float | None = None
    """the largest error of an element, over the limit of that element"""
    outputs: tuple[float, ...] = ()
    """`max_error_over_peak` of each output, where the model has several"""


YardstickName = Literal["onnxruntime", "onnx.reference", "graph"]


@dataclass(frozen=True, slots=True)
class F16:
    """Whether f16 can hold every value that the model computes, and keeps the result where a GPU
    program in f16 was tried."""

    holds: bool
    layer: str
    """the step with the largest values"""
    peak: float
    """the largest magnitude there"""
    limit: float
    """what f16 can hold, with a factor of 2 to spare"""
    proof: ProofRow | None = None
    """of the GPU programs in f16; absent where none was tried"""
