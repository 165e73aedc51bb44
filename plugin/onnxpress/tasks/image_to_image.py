"""Image to image: a picture becomes another picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from ..graph.graph import Shape
from ..kinds import picture
from .base import LAYOUT, Drawn, Output, Reading, Task, Write
from .gates import PSNR
from .pictures import draw_pair, pair_poster

CHANNELS = {"nchw": 1, "nhwc": 3}  # layout -> the axis of channels
OPTION = 96  # pixels a side of an option's picture
BODY = """\
preprocessing: {{resize: cover, scale: 1/255}}
output: {{range: [0, 1]}}   # the values of black and white
"""


def misfit(name: str, shape: Shape, reading: Reading) -> str:
    """A picture is [1, C, H, W] or [1, H, W, C] with 1 or 3 channels."""
    layout, fitting = reading.output.layout, ()
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
    return {"picture": np.asarray(to_picture(output, reading.output))}


def to_picture(values: np.ndarray, rule: Output) -> Image.Image:
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
    "image-to-image",
    picture.KIND,
    body=BODY,
    misfit=misfit,
    decode=decode,
    draw=draw,
    poster=pair_poster,
    gate=lambda output, sample: PSNR,
    option=option,
    output={
        "range": {"description": "Pictures: the values of black and white.", "type": "array",
                  "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "channels": {"enum": ["rgb", "bgr", "gray"]},
        "layout": LAYOUT,
    },
    files=("image", "after", "before"),
    posters=("after", "before"),
)
