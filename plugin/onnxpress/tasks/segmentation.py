"""Segmentation: each pixel has a class, drawn as a coloured mask over the picture.

A mask that rounded weights give must share, on samples, at least 0.99 of its area with f32's mask
(intersection over union): the mean over the classes that the legend would name. One channel is cut
at one half.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor
from typing import Any, Literal

import numpy as np
from PIL import Image

from ..graph.graph import Shape
from ..kinds import picture
from ..kinds.base import Fields
from ..kinds.picture import Layout
from .base import LAYOUT, SCORES, Drawn, Gate, Reading, Task, Write
from .gates import COSINE
from .pictures import PairResult, draw_pair, pair_poster

NAME = "segmentation"

# The same numbers stand in runtime/tasks/segmentation.js.
OPACITY = 0.6  # of a mask over its picture
LEGEND = 0.001  # share of the picture below which the legend leaves a class out
GOLDEN_ANGLE = 137.508  # degrees of hue from one class to the next: neighbours never look alike
LIGHTNESS, REACH = 0.55, 0.4  # a colour's mean, and how far its channels go from it

BODY = """\
preprocessing: {{resize: cover, scale: 1/255}}
output: {{kind: logits}}   # or probabilities, or classes
labels: [background, thing]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """A class for each pixel."""

    name: Literal["segmentation"]
    output: str
    """the output's name"""
    kind: Literal["logits", "probabilities", "classes"]
    """"logits" and "probabilities" have an axis of classes, "classes" holds their indices"""
    layout: Layout


def read(fields: Fields) -> Segmentation:
    return Segmentation(name=NAME, **{"output": "", "kind": "logits", "layout": "nchw",
                                      **fields.values})


def misfit(name: str, shape: Shape, reading: Reading) -> str:
    """Scores are [1, C, H, W] or [1, H, W, C], and a map of classes has two axes longer than 1."""
    options, labels = reading.options, reading.labels
    found = f'the output "{name}" has shape {list(shape)}'
    if options.kind == "classes":
        if len([side for side in shape if side != 1]) == 2:
            return ""
        return f"{found}; task segmentation needs [1, H, W] where output.kind is classes"
    if len(shape) != 4 or shape[0] != 1:
        wanted = "[1, C, H, W]" if options.layout == "nchw" else "[1, H, W, C]"
        return f"{found}; task segmentation needs {wanted}, with classes C"
    count = shape[1 if options.layout == "nchw" else 3]
    if labels and len(labels) != max(count, 2):
        return f"there are {len(labels)} labels and the output has {max(count, 2)} classes"
    return ""


def decode(output: np.ndarray, reading: Reading) -> dict[str, Any]:
    """{"mask": int[H,W] of class indices}."""
    return {"mask": class_map(output, reading.options)}


def class_map(output: np.ndarray, rule: Segmentation) -> np.ndarray:
    """int[H,W] of class indices; of a single channel, 1 where it is more likely than not."""
    if rule.kind == "classes":
        return np.squeeze(output).astype(int)
    channels = 0 if rule.layout == "nchw" else 2
    scores = np.asarray(output[0])
    if scores.shape[channels] == 1:
        return (scores.squeeze(channels) > (0.0 if rule.kind == "logits" else 0.5)).astype(int)
    return scores.argmax(channels)


def draw(result: Mapping[str, Any], seen: Image.Image, write: Write) -> Drawn:
    """The mask, and the picture below it at OPACITY."""
    mask = paint_mask(result["mask"]).resize(seen.size, Image.Resampling.NEAREST)
    faded = mask.copy()
    faded.putalpha(mask.getchannel("A").point([round(alpha * OPACITY) for alpha in range(256)]))
    after = Image.alpha_composite(seen.convert("RGBA"), faded).convert("RGB")
    return draw_pair(seen, after, write, mask)


def paint_mask(classes: np.ndarray) -> Image.Image:
    """RGBA; class 0, by custom the background, stays clear."""
    colours = [(*class_colour(i), 255 if i else 0) for i in range(int(classes.max()) + 1)]
    return Image.fromarray(np.array(colours, np.uint8)[classes], "RGBA")


def class_colour(index: int) -> tuple[int, int, int]:
    """RGB: hues a golden angle apart, lightness 0.55, saturation 0.89."""
    hue = (index * GOLDEN_ANGLE) % 360

    def channel(n: int) -> int:
        k = (n + hue / 30) % 12
        return floor(255 * (LIGHTNESS - REACH * max(-1.0, min(k - 3, 9 - k, 1))) + 0.5)

    return channel(0), channel(8), channel(4)


def iou(got: np.ndarray, want: np.ndarray) -> float:
    """Mean intersection over union of two masks int[H,W]: over the classes that cover at least
    LEGEND of `want`, or its largest class if none does."""
    classes, counts = np.unique(want, return_counts=True)
    named = classes[counts >= min(LEGEND * want.size, counts.max())]
    return float(np.mean([np.logical_and(got == c, want == c).sum()
                          / np.logical_or(got == c, want == c).sum() for c in named]))


IOU = Gate("iou", 0.99, lambda value: (1 - value) / (1 - 0.99),
           lambda got, want, options: iou(class_map(got, options), class_map(want, options)))


def gate(options: Segmentation, sample: bool) -> Gate:
    """Scores of noise have no mask worth comparing; a map of classes has nothing else."""
    return IOU if sample or options.kind == "classes" else COSINE


TASK = Task(
    NAME,
    picture.KIND,
    body=BODY,
    options=Segmentation,
    read=read,
    misfit=misfit,
    decode=decode,
    draw=draw,
    poster=pair_poster,
    gate=gate,
    output={"kind": SCORES, "layout": LAYOUT},
    result=PairResult,
    files=("image", "after", "before"),
    posters=("after", "before"),
)
