"""Answers that are pictures: before and after, in files and on posters."""

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup
from PIL import Image

from ..kinds.picture import card, encode
from .base import Draw, Drawn, Sample, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class PairResult:
    """A picture before and after."""

    kind: Literal["pair"]
    image: str
    """the URL of the result: a picture, or a mask to lay over one"""
    after: str
    """the URL of the picture to show: the result, or the sample under its mask"""
    before: str
    """the URL of the part of the sample that the model got"""
    size: tuple[int, int]
    """width and height of both pictures"""


def draw_pair(before: Image.Image, after: Image.Image, write: Write,
              image: Image.Image | None = None) -> Drawn:
    """`image`: the picture that the browser's view shows, if that is not `after`."""
    shown = write("result", encode(after), "webp")
    first = write("mask", encode(image), "webp") if image else shown
    seen = write("seen", encode(before), "webp")
    result = PairResult(kind="pair", image=first, after=shown, before=seen, size=after.size)
    return Drawn(result, card(after))


def picture_poster(sample: Sample, draw: Draw) -> Markup:
    """The sample itself."""
    image = draw(sample.url, sample.title, sample.facts.size)
    return Markup('<div class="onnx-picture">{}</div>\n').format(image) if image else Markup()


def pair_poster(sample: Sample, draw: Draw) -> Markup:
    """Before and after; where nothing was computed, the sample."""
    result = sample.result
    if not result:
        return picture_poster(sample, draw)
    images = [draw(url, f"{word}: {sample.title}", result.size)
              for url, word in ((result.before, "Before"), (result.after, "After"))]
    if not all(images):
        return Markup()
    return Markup('<div class="onnx-pair">{}{}</div>\n').format(*images)
