"""What a model says about a sample: bars, a picture, or a mask over the picture."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..files import write_file
from ..kinds.picture import encode, thumbnail, to_picture
from ..spec import Control, Demo, Output

NEAREST = Image.Resampling.NEAREST
OPTION = 96  # pixels a side of an option's picture
OPACITY = 0.6  # of a mask over its picture


def sample_result(demo: Demo, output: np.ndarray, seen: Image.Image,
                  folder: Path) -> tuple[dict[str, Any], Image.Image | None]:
    """The manifest's `result` of a sample and, where the result is one, the picture to show;
    `seen` is the part of the sample that the model got."""
    if demo.task == "image-classification":
        return {"top": top_classes(demo, output)}, None
    if demo.task == "segmentation":
        mask = paint_mask(class_map(output, demo.output)).resize(seen.size, NEAREST)
        drawn = Image.alpha_composite(seen.convert("RGBA"), _faded(mask)).convert("RGB")
        shown = {"image": _write(mask, "mask", folder), "after": _write(drawn, "result", folder)}
    else:
        drawn = to_picture(output, demo.output)
        after = _write(drawn, "result", folder)
        shown = {"image": after, "after": after}
    return {**shown, "before": _write(seen, "seen", folder), "size": list(drawn.size)}, drawn


def _write(image: Image.Image, stem: str, folder: Path) -> str:
    return write_file(folder, stem, encode(image), "webp")["url"]


def _faded(mask: Image.Image) -> Image.Image:
    faded = mask.copy()
    faded.putalpha(mask.getchannel("A").point(lambda a: round(a * OPACITY)))
    return faded


def option_thumbnails(demo: Demo, control: Control, feed: Mapping[str, np.ndarray],
                      run: Callable[[Mapping[str, np.ndarray]], np.ndarray],
                      folder: Path) -> list[str]:
    """File names of small pictures: what each option of a blend makes of the sample in `feed`."""
    names = []
    shape = feed[control.input].shape
    for i in range(len(control.options)):
        values = replace(control, initial=i).start(len(control.options))
        output = run({**feed, control.input: np.asarray(values, np.float32).reshape(shape)})
        small = thumbnail(to_picture(output, demo.output), OPTION, OPTION)
        names.append(write_file(folder, "option", small, "webp")["url"])
    return names


def top_classes(demo: Demo, output: np.ndarray) -> list[dict[str, Any]]:
    """The best `demo.top` classes as {"label", "score"}, best first."""
    scores = np.asarray(output, np.float64).ravel()
    if demo.output.kind == "logits":
        scores = np.exp(scores - scores.max())
        scores /= scores.sum()
    best = np.argsort(-scores, kind="stable")[: demo.top]
    return [{"label": demo.labels[i] if demo.labels else f"class {i}",
             "score": float(f"{scores[i]:.4g}")} for i in best]


def class_map(output: np.ndarray, rule: Output) -> np.ndarray:
    """int[H,W] of class indices; of a single channel, 1 where it is more likely than not."""
    if rule.kind == "classes":
        return np.squeeze(output).astype(int)
    channels = 0 if rule.layout == "nchw" else 2
    scores = np.asarray(output[0])
    if scores.shape[channels] == 1:
        return (scores.squeeze(channels) > (0.0 if rule.kind == "logits" else 0.5)).astype(int)
    return scores.argmax(channels)


def paint_mask(classes: np.ndarray) -> Image.Image:
    """RGBA; class 0, by custom the background, stays clear. Colours as tasks/segmentation.js."""
    colours = [(*class_colour(i), 255 if i else 0) for i in range(int(classes.max()) + 1)]
    return Image.fromarray(np.array(colours, np.uint8)[classes], "RGBA")


def class_colour(index: int) -> tuple[int, int, int]:
    """RGB: hues a golden angle apart, lightness 0.55, saturation 0.89."""
    hue = (index * 137.508) % 360

    def channel(n: int) -> int:
        k = (n + hue / 30) % 12
        return floor(255 * (0.55 - 0.4 * max(-1.0, min(k - 3, 9 - k, 1))) + 0.5)

    return channel(0), channel(8), channel(4)
