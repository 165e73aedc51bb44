"""The contract of a task: what a model's answer means, how it is kept and how it is drawn.

A task is one Python file here and one browser module, `runtime/tasks/NAME.js`. NAME is the task's
name; a Python module has "_" in place of its "-".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup

from ..graph.graph import Shape
from ..kinds.base import Fields, Kind, Schema
from ..pack.demo import Sample, SampleResult
from ..pack.weights import Metric

Write = Callable[[str, bytes, str], str]  # (stem, content, suffix) -> the published file's name
Draw = Callable[[str, str, tuple[int, int]], Markup]  # (file name, alt text, size) -> <img>

# Parts of the schema that several tasks share.
SCORES = {
    "description": "Classification and segmentation: what the numbers are; logits go through softmax.",  # noqa: E501
    "enum": ["logits", "probabilities", "classes"]}
LAYOUT = {"enum": ["nchw", "nhwc"]}


@dataclass(frozen=True, slots=True)
class Output:
    """How the shown output is read; `range` is the values of black and white in a picture."""

    output: str | None = None  # None: the model's first output
    kind: str = "logits"
    channels: str = "rgb"
    layout: str = "nchw"
    range: tuple[float, float] = (0.0, 1.0)


def read_output(fields: Fields) -> Output:
    """The section `output`, with numbers as floats."""
    values = dict(fields.values)
    if "range" in values:
        low, high = map(float, values["range"])
        values["range"] = (low, high)
    return Output(**values)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a spec says about the answer: the output, the classes' names, the classes to show."""

    output: Output = Output()
    labels: tuple[str, ...] = ()
    top: int = 5


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure that must reach `limit`. `measure(got, want, output)` computes it from two outputs
    in the model's own shape. `strain`: the error over the admitted error; above 1 the gate fails.
    Strains of independent errors add up."""

    metric: Metric
    limit: float
    strain: Callable[[float], float]
    measure: Callable[[np.ndarray, np.ndarray, Output], float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A result in published files: `result` is the manifest's, `card` the picture in a gallery or
    None where the sample itself is shown."""

    result: SampleResult
    card: bytes | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a model's answer means.

    `kind`: what a visitor hands over. `body`: the lines that `onnxpress new` writes. `output` and
    `view`: properties that the task adds to these sections' schemas. `files`: keys of the
    manifest's result that name files, `posters` the keys among them that only posters read.

    misfit(name, shape, reading) -> why the output `name` of `shape` is not this task's, or "".
    decode(output, reading) -> the result, plain data, of the output in the model's own shape.
    draw(result, seen, write) -> the result in files; `seen` is the part of the sample that the
    model got.
    poster(sample, draw) -> what a page shows of the manifest's sample before the first run; `draw`
    gives nothing where pictures cannot be shown.
    gate(output, sample) -> what rounded weights must keep, on a sample or on random numbers; None:
    the output's shape decides.
    same(got, want) -> whether two outputs agree, where that is a question with yes or no.
    option(result) -> a small WebP that stands for an option of a blend.
    """

    name: str
    kind: Kind
    body: str
    misfit: Callable[[str, Shape, Reading], str]
    decode: Callable[[np.ndarray, Reading], Mapping[str, Any]] | None = None
    draw: Callable[[Mapping[str, Any], Any, Write], Drawn] | None = None
    poster: Callable[[Sample, Draw], Markup] | None = None
    gate: Callable[[Output, bool], Gate] | None = None
    same: Callable[[np.ndarray, np.ndarray], bool] | None = None
    option: Callable[[Mapping[str, Any]], bytes] | None = None
    output: Mapping[str, Schema] = field(default_factory=dict)
    view: Mapping[str, Schema] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    posters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a proof must know: the task, the number of the output that it shows, and how it is
    read."""

    task: Task
    shown: int = 0
    output: Output = Output()
