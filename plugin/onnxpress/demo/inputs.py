"""How a demo's samples and controls become a model's inputs, checked against its shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from ..errors import SpecError, did_you_mean
from ..kinds.base import Described, Given, Shapes
from ..manifest import demo as facts
from ..manifest.demo import Blend, BlendOption, Constant, Slider
from ..spec import Control, Demo
from ..tasks import TASKS


def input_shapes(model: Any, fixed: Shapes) -> dict[str, tuple[int, ...]]:
    """Input name -> shape of an ONNX model whose dynamic dimensions `fixed` settles; what stays
    dynamic is 0. Names that the model lacks do not count: a card's sources may differ in them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    shapes = {}
    for port in model.graph.input:
        if port.name not in weights:
            dims = tuple(d.dim_value for d in port.type.tensor_type.shape.dim)
            shapes[port.name] = tuple(fixed.get(port.name, dims))
    return shapes


def check_names(demo: Demo, shapes: Shapes) -> None:
    """Passes if the model has every input that the spec names. A card with several sources may
    know more names, because its sources may differ in them.

    Raises:
        SpecError: the model lacks one.
    """
    for section, names in (("shapes", demo.shapes),
                           ("view.controls", [control.input for control in demo.controls])):
        stray = next((name for name in names if name not in shapes), None)
        if stray is not None and len(demo.card.sources) == 1:
            raise SpecError(f'{demo.where}: {section}: the model has no input "{stray}".'
                            f"{did_you_mean(stray, list(shapes))}")


@dataclass(frozen=True, slots=True)
class Entry:
    """The model's input that takes what a visitor hands over: its kind, the kind's options, and
    what the manifest says of both."""

    given: Given
    options: Any
    described: Described

    @property
    def name(self) -> str:
        """The input's name."""
        return self.described.input

    def see(self, value: Any) -> Any:
        """The part of a value that the model gets."""
        return self.given.see(value, self.described, self.options)


def find_entry(demo: Demo, shapes: Shapes) -> Entry | None:
    """The input that takes the values of the task's kind; None where nothing is handed over.

    Raises:
        SpecError: the model has no such input.
    """
    given = TASKS[demo.task].kind.given
    if given is None:
        return None
    return Entry(given, demo.input, given.describe(demo.input, shapes, demo.where))


def model_inputs(demo: Demo, shapes: Shapes, entry: Entry, value: Any) -> dict[str, np.ndarray]:
    """All inputs of the model for one sample, f32."""
    controls = {c.input: c for c in demo.controls}
    return {name: entry.given.to_tensor(entry.see(value), entry.options) if name == entry.name
            else _control_values(demo, name, shape, controls.get(name))
            for name, shape in shapes.items()}


def _control_values(demo: Demo, name: str, shape: tuple[int, ...],
                    control: Control | None) -> np.ndarray:
    elements = int(np.prod(shape))
    if control is None:
        raise SpecError(f'{demo.where}: the model has a further input "{name}" {list(shape)}; '
                        f"say under view.controls.{name} how it is set")
    values = control.start(elements)
    options = len(control.options)
    if len(values) != elements or (options and options != elements):
        raise SpecError(f'{demo.where}: the control of "{name}" gives {options or len(values)} '
                        f"values; the input takes {elements}")
    return np.asarray(values, np.float32).reshape(shape)


def describe_control(control: Control, thumbnails: Sequence[str] = ()) -> facts.Control:
    """One of the manifest's demo.controls; a thumbnail per option, or none."""
    name, label = control.input, control.label
    if control.kind == "blend":
        options = tuple(map(BlendOption, control.options, thumbnails or repeat(None)))
        return Blend("blend", name, label, options, control.initial)
    if control.kind == "slider":
        return Slider("slider", name, label, control.min, control.max, control.value, control.step)
    return Constant("constant", name, label, control.values)
