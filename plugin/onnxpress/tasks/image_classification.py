"""Image classification: the classes that a picture most likely shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from markupsafe import Markup
from PIL import Image

from ..graph.graph import Shape
from ..kinds import picture
from ..kinds.base import Fields
from ..words import percent, percent_width
from .base import SCORES, Draw, Drawn, Reading, Sample, Task, Write
from .gates import COSINE
from .pictures import picture_poster

NAME = "image-classification"
BODY = """\
preprocessing: {{resize: "shorter:256", scale: 1/255, mean: [0.485, 0.456, 0.406], \
std: [0.229, 0.224, 0.225]}}
labels: imagenet-1k.txt   # in models/labels, or a list
view: {{top: 5}}
"""
BAR = Markup(
    '<li class="onnx-bar"><span>{label}</span><b>{share}</b> <svg aria-hidden="true">'
    '<rect width="{width}" height="100%"></rect></svg></li>\n')


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageClassification:
    """Scores of classes."""

    name: Literal["image-classification"]
    output: str
    """the output's name"""
    kind: Literal["logits", "probabilities", "classes"]
    """softmax is applied to logits"""
    top: int
    """how many classes are shown, the best first"""


@dataclass(frozen=True, slots=True)
class TopClass:
    """A class and its score, 0..1."""

    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassesResult:
    """The classes that a sample most likely shows, best first."""

    kind: Literal["classes"]
    top: tuple[TopClass, ...]


def read(fields: Fields) -> ImageClassification:
    return ImageClassification(name=NAME, **{"output": "", "kind": "logits", "top": 5,
                                             **fields.values})


def misfit(name: str, shape: Shape, reading: Reading) -> str:
    """Scores have one axis of classes, such as [1, 1000] or [1, 1000, 1, 1]."""
    classes = int(np.prod(shape))
    if max(shape, default=1) != classes:
        return (f'the output "{name}" has shape {list(shape)}; task image-classification needs '
                f"one axis of classes, such as [1, {max(shape)}]")
    if reading.labels and classes != len(reading.labels):
        return f"there are {len(reading.labels)} labels and the output has {classes} classes"
    return ""


def decode(output: np.ndarray, reading: Reading) -> dict[str, Any]:
    """{"top": the best classes as {"label", "score"}, best first}."""
    scores = np.asarray(output, np.float64).ravel()
    if reading.options.kind == "logits":
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
    best = np.argsort(-scores, kind="stable")[: reading.options.top]
    return {"top": [{"label": reading.labels[i] if reading.labels else f"class {i}",
                     "score": float(f"{scores[i]:.4g}")} for i in best]}


def draw(result: Mapping[str, Any], seen: Image.Image, write: Write) -> Drawn:
    top = tuple(TopClass(**row) for row in result["top"])
    return Drawn(ClassesResult(kind="classes", top=top))


def poster(sample: Sample, draw: Draw) -> Markup:
    """The picture, and a bar for each class."""
    shown = picture_poster(sample, draw)
    if not sample.result:
        return shown
    bars = Markup().join(BAR.format(label=row.label, share=percent(row.score),
                                    width=percent_width(row.score))
                         for row in sample.result.top)
    return shown + Markup('<ol class="onnx-bars">\n{}</ol>\n').format(bars)


TASK = Task(
    NAME,
    picture.KIND,
    body=BODY,
    options=ImageClassification,
    read=read,
    misfit=misfit,
    decode=decode,
    draw=draw,
    poster=poster,
    gate=lambda options, sample: COSINE,
    same=lambda got, want: int(np.argmax(got)) == int(np.argmax(want)),
    output={"kind": SCORES},
    view={"top": {"type": "integer", "minimum": 1, "maximum": 20}},
    result=ClassesResult,
)
