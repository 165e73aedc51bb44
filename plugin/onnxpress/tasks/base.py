"""The contract of a task: what a model's answer means, how it is kept and how it is drawn.

A task is one Python file here and one browser module, `runtime/tasks/NAME.js`. NAME is the task's
name; a Python module has "_" in place of its "-".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from markupsafe import Markup

from ..graph.graph import Shape
from ..kinds.base import Fields, Kind, Schema
from ..pack.weights import Metric

Write = Callable[[str, bytes, str], str]  # (stem, content, suffix) -> the published file's name
Draw = Callable[[str, str, tuple[int, int]], Markup]  # (file name, alt text, size) -> <img>

# Parts of the schema that several tasks share.
SCORES = {
    "description": "Classification and segmentation: what the numbers are; logits go through softmax.",  # noqa: E501
    "enum": ["logits", "probabilities", "classes"]}
LAYOUT = {"enum": ["nchw", "nhwc"]}


class Chosen(Protocol):
    """How the shown output is read; demo.task in a manifest. A task's own type has its options too,
    and its first field is `name: Literal[NAME]`."""

    @property
    def name(self) -> str:
        """The task's."""
        ...

    @property
    def output(self) -> str:
        """The output's name; empty while the model is not known: its first output."""
        ...


class Sample(Protocol):
    """What a poster needs of the manifest's sample. `facts` are of its kind, `result` is of its
    task."""

    @property
    def url(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def facts(self) -> Any: ...

    @property
    def result(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What a spec says about the answer: the task's options and the classes' names."""

    options: Any
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure that must reach `limit`. `measure(got, want, options)` computes it from two outputs
    in the model's own shape. `strain`: the error over the admitted error; above 1 the gate fails.
    Strains of independent errors add up."""

    metric: Metric
    limit: float
    strain: Callable[[float], float]
    measure: Callable[[np.ndarray, np.ndarray, Any], float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A result in published files: `result` is the manifest's, of the type `Task.result`; `card` is
    the picture in a gallery, or None where the sample itself is shown."""

    result: Any
    card: bytes | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a model's answer means.

    `kind`: what a visitor hands over. `body`: the lines that `onnxpress new` writes. `output` and
    `view`: properties that the task adds to these sections' schemas.

    In a manifest: `options` is the type of demo.task (see Chosen), and `result` the type of a
    sample's result, whose first field is `kind: Literal[...]`; several tasks may share it. `files`:
    keys of the result that name files, `posters` the keys among them that only posters read.

    read(fields) -> the options, of both sections that the task adds to.
    misfit(name, shape, reading) -> why the output `name` of `shape` is not this task's, or "".
    decode(output, reading) -> the result, plain data, of the output in the model's own shape.
    draw(result, seen, write) -> the result in files; `seen` is the part of the sample that the
    model got.
    poster(sample, draw) -> what a page shows of the manifest's sample before the first run; `draw`
    gives nothing where pictures cannot be shown.
    gate(options, sample) -> what rounded weights must keep, on a sample or on random numbers; None:
    the output's shape decides.
    same(got, want) -> whether two outputs agree, where that is a question with yes or no.
    option(result) -> a small WebP that stands for an option of a blend.
    """

    name: str
    kind: Kind
    body: str
    options: type[Chosen]
    read: Callable[[Fields], Any]
    misfit: Callable[[str, Shape, Reading], str]
    decode: Callable[[np.ndarray, Reading], Mapping[str, Any]] | None = None
    draw: Callable[[Mapping[str, Any], Any, Write], Drawn] | None = None
    poster: Callable[[Sample, Draw], Markup] | None = None
    gate: Callable[[Any, bool], Gate] | None = None
    same: Callable[[np.ndarray, np.ndarray], bool] | None = None
    option: Callable[[Mapping[str, Any]], bytes] | None = None
    output: Mapping[str, Schema] = field(default_factory=dict)
    view: Mapping[str, Schema] = field(default_factory=dict)
    result: type | None = None
    files: tuple[str, ...] = ()
    posters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a proof must know: the task, the number of the output that it shows, and how it is
    read."""

    task: Task
    shown: int
    options: Any
