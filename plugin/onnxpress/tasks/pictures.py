"""Answers that are pictures: before and after, in files and on posters."""

from markupsafe import Markup
from PIL import Image

from ..kinds.picture import card, encode
from ..pack.demo import Sample, SampleResult
from .base import Draw, Drawn, Write


def draw_pair(before: Image.Image, after: Image.Image, write: Write,
              image: Image.Image | None = None) -> Drawn:
    """`image`: the picture that the browser's view shows, if that is not `after`."""
    shown = write("result", encode(after), "webp")
    first = write("mask", encode(image), "webp") if image else shown
    seen = write("seen", encode(before), "webp")
    return Drawn(SampleResult(image=first, after=shown, before=seen, size=after.size), card(after))


def picture_poster(sample: Sample, draw: Draw) -> Markup:
    """The sample itself."""
    image = draw(sample.url, sample.title, sample.size or (0, 0))
    return Markup('<div class="onnx-picture">{}</div>\n').format(image) if image else Markup()


def pair_poster(sample: Sample, draw: Draw) -> Markup:
    """Before and after; where nothing was computed, the sample."""
    result = sample.result
    if not result or not result.before or not result.after:
        return picture_poster(sample, draw)
    images = [draw(url, f"{word}: {sample.title}", result.size or (0, 0))
              for url, word in ((result.before, "Before"), (result.after, "After"))]
    if not all(images):
        return Markup()
    return Markup('<div class="onnx-pair">{}{}</div>\n').format(*images)
