"""Types of the manifest: what `<onnx-demo>` shows around the model.

The task and the kind of a demo bring their own types: see `Task.options`, `Task.result`,
`Given.described` and `Given.facts`.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from ..kinds import GIVEN
from ..kinds.base import Described
from ..pack.shapes import KEY, OF
from ..tasks import TASKS
from ..tasks.base import Chosen

Loading = Literal["click", "lazy", "eager"]

TASK_OPTIONS = tuple(task.options for task in TASKS.values())
RESULTS = tuple(dict.fromkeys(task.result for task in TASKS.values() if task.result))
DESCRIBED = tuple(given.described for given in GIVEN)
FACTS = tuple(given.facts for given in GIVEN if given.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A value that visitors may try."""

    url: str
    title: str
    """also the text alternative of a picture"""
    licence: str
    thumbnail: str | None = None
    """the URL of a small square picture"""
    author: str | None = None
    source: str | None = None
    """the URL of the page that it comes from"""
    facts: Any = field(default=None, metadata={OF: FACTS})
    """what its kind says of it"""
    result: Any = field(default=None, metadata={OF: RESULTS})
    """what the model made of it at the build; shown while the model loads"""
    card: str | None = None
    """the URL of the picture on a gallery's card"""


@dataclass(frozen=True, slots=True)
class BlendOption:
    """One of the choices of a blend."""

    name: str
    thumbnail: str | None = None
    """the URL of a small picture: the sample with this option"""


@dataclass(frozen=True, slots=True)
class Blend:
    """An input that holds one weight for each option; the weights add up to 1."""

    kind: Literal["blend"]
    input: str
    label: str
    options: tuple[BlendOption, ...]
    initial: int | None = None
    """index of the option chosen at first; 0"""


@dataclass(frozen=True, slots=True)
class Slider:
    """An input that is filled with one number."""

    kind: Literal["slider"]
    input: str
    label: str
    min: float
    max: float
    value: float
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """An input that the visitor does not change."""

    kind: Literal["constant"]
    input: str
    label: str
    values: tuple[float, ...]


Control = Blend | Slider | Constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What `<onnx-demo>` shows around the model."""

    title: str
    task: Chosen = field(metadata={OF: TASK_OPTIONS})
    """what the shown output means, and how it is read"""
    loading: Loading | None = None
    """when the model is loaded; click"""
    given: Described | None = field(default=None, metadata={OF: DESCRIBED})
    """the input that takes what a visitor hands over; absent where nothing is handed over"""
    labels: tuple[str, ...] | str = ()
    """a list, or the URL of a text file with one label in a line"""
    samples: tuple[Sample, ...] = ()
    """the poster shows the first one"""
    controls: tuple[Control, ...] = ()
    """every other input of the model"""
    threads: Literal["auto"] | int | None = None
    """of WebAssembly; "auto\""""
    weights_note: str = field(default="", metadata={KEY: "weightsNote"})
    """shown in plain sight, such as "The weights are untrained: ...\""""
