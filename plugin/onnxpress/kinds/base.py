"""The contract of an input kind: what a visitor hands over, and how it becomes a tensor.

A kind is one Python file here and one browser module of the same name, `runtime/kinds/NAME.js`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Schema = Mapping[str, Any]  # a part of a JSON Schema
Shapes = Mapping[str, tuple[int, ...]]  # input name -> shape; 0 where a dimension is not known


@dataclass(frozen=True, slots=True)
class Fields:
    """A section of a spec over the same section of its card. `at` gives the place of a field, such
    as "demos/a.yml:4: preprocessing.mean"."""

    values: Mapping[str, Any]
    at: Callable[[str], str]


class Described(Protocol):
    """What the manifest says of a kind. A kind's own type has its options too, and its first field
    is `kind: Literal[NAME]`."""

    @property
    def kind(self) -> str: ...

    @property
    def input(self) -> str:
        """The name of the model's input."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """How pages speak of a kind's values. `empty`: the poster of a demo without a sample;
    `promise`: what becomes of a visitor's own values."""

    one: str
    many: str
    empty: str
    promise: str


@dataclass(frozen=True, slots=True)
class Given:
    """The functions of a kind whose values visitors hand over and specs bring samples of.

    In a spec: `field` names the sample, and `about` says in the schema what stands there. `section`
    names the kind's options, `options` is its schema, `patterns` are sentences for the schema's
    patterns (see spec/check.py), and `body` is the sample that `onnxpress new` writes.

    In a manifest: `described` is the type of demo.given, and `facts` the type of a sample's facts.
    Both are dataclasses whose first field is `kind: Literal[NAME]`.

    read(fields) -> the options, frozen.
    describe(options, shapes, where) -> demo.given, of the type `described`.
    bounds(options) -> the smallest and the largest number that a tensor of this kind holds.
    open(path or bytes, where) -> a value; publish(value) -> the bytes of the file that visitors
    get, with `suffix`; state(value) -> the sample's facts, or None.
    see(value, described, options) -> the part of the value that the model gets.
    to_tensor(seen, options) -> f32 array in the input's shape.
    thumbnail(value), card(value) -> WebP pictures for the list of samples and for a gallery.
    """

    field: str
    about: str
    section: str
    options: Schema
    body: str
    suffix: str
    described: type[Described]
    facts: type | None
    read: Callable[[Fields], Any]
    describe: Callable[[Any, Shapes, str], Described]
    bounds: Callable[[Any], tuple[float, float]]
    open: Callable[[Path | bytes, str], Any]
    publish: Callable[[Any], bytes]
    state: Callable[[Any], Any]
    see: Callable[[Any, Any, Any], Any]
    to_tensor: Callable[[Any, Any], np.ndarray]
    thumbnail: Callable[[Any], bytes]
    card: Callable[[Any], bytes]
    patterns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """An input kind; `given` is None where a visitor hands nothing over."""

    name: str
    words: Words
    given: Given | None = None
