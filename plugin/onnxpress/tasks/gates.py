"""What an encoding that changes the weights must keep of f32's results, per kind of output.

- scores of a classifier, and any single vector: cosine at least 0.999, and on samples of a
  classification demo the same first class;
- a mask: on samples, intersection over union at least 0.99 of f32's mask, the mean over the classes
  that its legend would name (those on a thousandth of the picture or more); one channel is cut at
  one half;
- pictures and everything else: PSNR at least 40 dB.

Random inputs are held to the cosine or the PSNR alone: noise has no class, its best two scores may
lie arbitrarily close and its mask is all border, so a flip there says nothing about a visitor's
picture; the scores themselves still must agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..spec import Output
from .results import class_map

LEGEND = 0.001  # share of the picture below which tasks/segmentation.js does not name a class


@dataclass(frozen=True, slots=True)
class Task:
    """What a demo does with its output number `shown`."""

    name: str = "tensor"
    shown: int = 0
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure that must not fall below `limit`. `strain` of it is the error's share of what is
    admitted: above 1 the gate does not hold. Independent errors' strains add up."""

    metric: str
    limit: float
    strain: Callable[[float], float]


COSINE = Gate("cosine", 0.999, lambda value: (1 - value) / (1 - 0.999))
PSNR = Gate("psnr_db", 40.0, lambda value: 10 ** ((40.0 - value) / 10))
IOU = Gate("iou", 0.99, lambda value: (1 - value) / (1 - 0.99))


def choose_gate(task: Task, index: int, shape: Sequence[int], *, sample: bool) -> Gate:
    """The gate of output `index` of `shape`, on a sample or on a random input."""
    if index == task.shown:
        if task.name == "segmentation":
            return IOU if sample or task.output.kind == "classes" else COSINE
        if task.name == "image-classification":
            return COSINE
        if task.name == "image-to-image":
            return PSNR
    return COSINE if 1 < int(np.prod(shape)) == max(shape) else PSNR


def measure(gate: Gate, got: np.ndarray, want: np.ndarray, output: Output) -> float:
    """The gate's figure of one output in the model's own shape."""
    if gate is IOU:
        return iou(class_map(got, output), class_map(want, output))
    return cosine(got, want) if gate is COSINE else psnr(got, want)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """-1 where a value is not finite."""
    if not np.isfinite(a).all():
        return -1.0
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / scale if scale else float(np.allclose(a, b))


def psnr(got: np.ndarray, want: np.ndarray) -> float:
    """In dB, against the range that the reference spans; between -200, also where a value is not
    finite, and 200."""
    span = float(np.ptp(want)) or 1.0
    mse = float(np.mean((got - want) ** 2))
    if not mse:
        return 200.0
    return float(np.clip(10 * np.log10(span * span / mse), -200, 200)) if mse < np.inf else -200.0


def iou(got: np.ndarray, want: np.ndarray) -> float:
    """Mean over the classes of `want` that cover LEGEND of it (or else its largest) of what both
    masks share over what either has."""
    classes, counts = np.unique(want, return_counts=True)
    named = classes[counts >= min(LEGEND * want.size, counts.max())]
    return float(np.mean([np.logical_and(got == c, want == c).sum()
                          / np.logical_or(got == c, want == c).sum() for c in named]))
