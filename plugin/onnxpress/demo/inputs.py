"""How a demo's pictures and controls become a model's inputs, checked against its shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from ..errors import SpecError, did_you_mean
from ..kinds.picture import fit, to_tensor
from ..spec import Control, Demo

Shapes = Mapping[str, tuple[int, ...]]


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


def image_input(demo: Demo, shapes: Shapes) -> dict[str, Any] | None:
    """The manifest's demo.image, or None for a task without pictures."""
    if demo.task == "tensor":
        return None
    rule = demo.preprocessing
    name = rule.input or next(iter(shapes))
    if name not in shapes:
        raise SpecError(f'{demo.where}: preprocessing.input: the model has no input "{name}".'
                        f"{did_you_mean(name, list(shapes))}")
    shape, channels = shapes[name], 1 if rule.channels == "gray" else 3
    if len(shape) == 4 and min(shape[1:]) < 1:
        raise SpecError(f'{demo.where}: the input "{name}" has no fixed size; '
                        f"write shapes: {{{name}: [1, {channels}, 256, 256]}}")
    at = 1 if rule.layout == "nchw" else 3
    if len(shape) != 4 or shape[0] > 1 or shape[at] != channels:
        raise SpecError(f'{demo.where}: the input "{name}" has shape {list(shape)}; a '
                        f"{rule.channels} picture in {rule.layout} needs "
                        f"{[1, channels, 'H', 'W'] if at == 1 else [1, 'H', 'W', channels]}"
                        .replace("'", ""))
    size = shape[2:] if at == 1 else shape[1:3]
    plain = asdict(rule)
    plain.update(input=name, size=list(size), mean=_compact(rule.mean), std=_compact(rule.std))
    if rule.resize.startswith("shorter:"):
        plain["resize"] = {"shorter": int(rule.resize.removeprefix("shorter:"))}
    return plain


def model_inputs(demo: Demo, shapes: Shapes, picture: Image.Image) -> dict[str, np.ndarray]:
    """All inputs of the model for one sample, f32."""
    image = image_input(demo, shapes)
    controls = {c.input: c for c in demo.controls}
    feeds = {}
    for name, shape in shapes.items():
        if image and name == image["input"]:
            seen = fit(picture, demo.preprocessing, tuple(image["size"]))
            feeds[name] = to_tensor(seen, demo.preprocessing)
        else:
            feeds[name] = _control_values(demo, name, shape, controls.get(name))
    return feeds


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


def bounds(demo: Demo, image: Mapping[str, Any] | None) -> dict[str, tuple[float, float]]:
    """The range that pixels 0 to 255 become, for random inputs."""
    if image is None:
        return {}
    rule = demo.preprocessing
    ends = [(pixel * rule.scale - mean) / std for pixel in (0, 255)
            for mean in rule.mean for std in rule.std]
    return {image["input"]: (min(ends), max(ends))}


def control_json(control: Control, thumbnails: Sequence[str] = ()) -> dict[str, Any]:
    """One of the manifest's demo.controls; a thumbnail per option, or none."""
    base = {"kind": control.kind, "input": control.input, "label": control.label}
    if control.kind == "blend":
        options = [{"name": name} for name in control.options]
        for option, url in zip(options, thumbnails, strict=False):
            option["thumbnail"] = url
        return {**base, "options": options, "initial": control.initial}
    if control.kind == "slider":
        step = {} if control.step is None else {"step": control.step}
        return {**base, "min": control.min, "max": control.max, "value": control.value, **step}
    return {**base, "values": list(control.values)}


def _compact(numbers: tuple[float, ...]) -> float | list[float]:
    return numbers[0] if len(numbers) == 1 else list(numbers)
