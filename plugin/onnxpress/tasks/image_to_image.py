"""Image to image: a picture becomes another picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from ..errors import SpecError
from ..graph.graph import Shape
from ..kinds import picture
from ..kinds.base import Fields
from ..kinds.picture import Channels, Layout
from .base import LAYOUT, Drawn, Reading, Task, Write
from .gates import PSNR
from .pictures import PairResult, draw_pair, pair_poster

NAME = "image-to-image"
CHANNELS = {"nchw": 1, "nhwc": 3}  # layout -> the axis of channels
OPTION = 96  # pixels a side of an option's picture
BODY = """\
preprocessing: {{resize: cover, scale: 1/255}}
output: {{range: [0, 1]}}   # the values of black and white
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageToImage:
    """The picture that an output [1,C,H,W] or [1,H,W,C] holds."""

    name: Literal["image-to-image"]
    output: str
    """the output's name"""
    channels: Channels
    layout: Layout
    range: tuple[float, float]
    """the values of black and of white"""


def read(fields: Fields) -> ImageToImage:
    """
    Raises:
        SpecError: black and white have the same value.
    """
    values = {"output": "", "channels": "rgb", "layout": "nchw", "range": (0, 1), **fields.values}
    low, high = map(float, values.pop("range"))
    if low == high:
        raise SpecError(f"{fields.at('range')}: black and white have the same value, {low:g}; "
                        "write two, such as [0, 1]")
    return ImageToImage(name=NAME, range=(low, high), **values)


def misfit(name: str, shape: Shape, reading: Reading) -> str:
    """A picture is [1, C, H, W] or [1, H, W, C] with 1 or 3 channels."""
    layout, fitting = reading.options.layout, ()
    if len(shape) == 4 and shape[0] == 1:
        fitting = tuple(name for name, axis in CHANNELS.items() if shape[axis] in (1, 3))
    if layout in fitting:
        return ""
    found = f'the output "{name}" has shape {list(shape)}'
    if fitting:
        return (f"{found}, which is a picture in {fitting[0]}; "
                f"write output: {{layout: {fitting[0]}}}")
    wanted = "[1, C, H, W]" if layout == "nchw" else "[1, H, W, C]"
    return f"{found}; task image-to-image needs {wanted} with 1 or 3 channels C"


def decode(output: np.ndarray, reading: Reading) -> dict[str, Any]:
    """{"picture": u8[H,W,3]} of an output [1,C,H,W] or [1,H,W,C]."""
    return {"picture": np.asarray(to_picture(output, reading.options))}


def to_picture(values: np.ndarray, rule: ImageToImage) -> Image.Image:
    """The picture that an output [1,C,H,W] or [1,H,W,C] holds."""
    pixels = values[0] if rule.layout == "nhwc" else values[0].transpose(1, 2, 0)
    low, high = rule.range
    levels = (np.nan_to_num(pixels.astype(np.float64)) - low) * (255 / (high - low))
    levels = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    if rule.channels == "gray" or levels.shape[-1] == 1:
        levels = np.repeat(levels[..., :1], 3, axis=-1)
    elif rule.channels == "bgr":
        levels = levels[..., ::-1]
    return Image.fromarray(np.ascontiguousarray(levels[..., :3]), "RGB")


def draw(result: Mapping[str, Any], seen: Image.Image, write: Write) -> Drawn:
    return draw_pair(seen, Image.fromarray(result["picture"], "RGB"), write)


def option(result: Mapping[str, Any]) -> bytes:
    return picture.thumbnail(Image.fromarray(result["picture"], "RGB"), OPTION, OPTION)


TASK = Task(
    NAME,
    picture.KIND,
    body=BODY,
    options=ImageToImage,
    read=read,
    misfit=misfit,
    decode=decode,
    draw=draw,
    poster=pair_poster,
    gate=lambda options, sample: PSNR,
    option=option,
    output={
        "range": {"description": "Pictures: the values of black and white.", "type": "array",
                  "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "channels": {"enum": ["rgb", "bgr", "gray"]},
        "layout": LAYOUT,
    },
    result=PairResult,
    files=("image", "after", "before"),
    posters=("after", "before"),
)
