"""What a spec and a model card say, as frozen values; made by parse.py, complete or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..manifest.demo import Loading
from ..targets import TARGETS
from ..tasks.base import Reading
from ..weights.encodings import AUTO


@dataclass(frozen=True, slots=True)
class Source:
    """One place a model, or a recipe's weights, comes from: exactly one of url, package
    ("NAME/path"), file and python.

    `python` is a recipe: its `function`(**arguments) returns a model. It also gets weights= if
    `weights` is set: a mapping of arrays if that is a safetensors file, else a path.
    """

    where: str
    url: str | None = None
    package: str | None = None
    file: Path | None = None
    python: Path | None = None
    function: str = "build"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weights: "Source | None" = None
    sha256: str | None = None
    bytes: int | None = None
    trained: bool = True


@dataclass(frozen=True, slots=True)
class Control:
    """How a further input is set. blend: one weight per option, `initial` has 1; slider: `value`
    everywhere, between min and max; constant: `values`."""

    input: str
    kind: str
    label: str
    options: tuple[str, ...] = ()
    initial: int = 0
    min: float = 0.0
    max: float = 1.0
    step: float | None = None
    value: float = 0.0
    values: tuple[float, ...] = ()

    def start(self, elements: int) -> tuple[float, ...]:
        """The input's values before the visitor touches anything."""
        if self.kind == "blend":
            return tuple(float(i == self.initial) for i in range(elements))
        if self.kind == "slider":
            return (self.value,) * elements
        return self.values * elements if len(self.values) == 1 else self.values


@dataclass(frozen=True, slots=True)
class Sample:
    path: Path
    title: str
    licence: str
    author: str = ""
    source: str = ""
    where: str = ""


@dataclass(frozen=True)
class Card:
    """A model and what is known about it. `licences`: of "code", "weights" and "data", where they
    differ from `licence`."""

    name: str
    title: str
    sources: tuple[Source, ...]
    description: str = ""
    author: str = ""
    homepage: str = ""
    licence: str = ""
    citation: str = ""
    limits: str = ""
    licences: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Demo:
    """Everything a build needs; card and spec merged. `input`: the options of the task's input
    kind, such as a Preprocessing of pictures; None where the kind has none. `output`: the task's
    options, such as a Segmentation."""

    name: str
    where: str
    title: str
    task: str
    card: Card
    output: Any
    description: str = ""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    input: Any = None
    labels: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    weights: str = AUTO
    simplify: bool = True
    targets: tuple[str, ...] = tuple(TARGETS)
    threads: Literal["auto"] | int = "auto"
    loading: Loading = "click"
    controls: tuple[Control, ...] = ()

    @property
    def reading(self) -> Reading:
        return Reading(self.output, self.labels)
