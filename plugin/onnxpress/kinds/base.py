"""The contract of an input kind: what a visitor hands over, and how it becomes a tensor.

A kind is one Python file here and one browser module of the same name, `runtime/kinds/NAME.js`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Schema = Mapping[str, Any]  # a part of a JSON Schema
Shapes = Mapping[str, tuple[int, ...]]  # input name -> shape; 0 where a dimension is not known


@dataclass(frozen=True, slots=True)
class Fields:
    """A section of a spec over the same section of its card. `at` gives the place of a field, such
    as "demos/a.yml:4: preprocessing.mean"."""

    values: Mapping[str, Any]
    at: Callable[[str], str]


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

    `field` names the sample in a spec, and the kind's options in a manifest's demo; `about` says in
    the schema what stands there. `section` names the kind's options in a spec, `options` is its
    schema, `patterns` are sentences for the schema's patterns (see spec/check.py), and `body` is
    the sample that `onnxpress new` writes.

    read(fields) -> the options, frozen.
    describe(options, shapes, where) -> the manifest's demo[field], of a type in pack/demo.py; its
    `input` is the input's name.
    bounds(options) -> the smallest and the largest number that a tensor of this kind holds.
    open(path or bytes, where) -> a value; publish(value) -> the bytes of the file that visitors
    get, with `suffix`; facts(value) -> fields of the manifest's Sample.
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
    read: Callable[[Fields], Any]
    describe: Callable[[Any, Shapes, str], Any]
    bounds: Callable[[Any], tuple[float, float]]
    open: Callable[[Path | bytes, str], Any]
    publish: Callable[[Any], bytes]
    facts: Callable[[Any], Mapping[str, Any]]
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
