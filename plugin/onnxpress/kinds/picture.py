"""Pictures: files -> pixels -> model inputs, by the same rules as runtime/kinds/picture.js.

Only three decoders are admitted, sizes are bounded before pixels are read, and what is published
is always encoded anew, without metadata.
"""

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import ceil, floor, prod
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import SpecError, did_you_mean
from ..pack.values import from_json
from .base import Fields, Given, Kind, Shapes, Words
from .colours import Space, converter, space_of
from .resample import resample

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 64_000_000
MAX_SIDE = 1024  # of a published sample; the browser resizes up to 4 megapixels exactly
QUALITY = 90
STRIP = 1 << 20  # pixels that are converted at a time
ORIENTATION = 0x0112  # the tag of EXIF, and what each of its values asks for
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
THUMBNAIL = 128  # pixels a side
CARD = (480, 320)  # width and height of a picture in a gallery

Channels = Literal["rgb", "bgr", "gray"]
Layout = Literal["nchw", "nhwc"]

OPTIONS = {
    "input": {"$ref": "#/$defs/line",
              "description": "The input that takes the picture; by default the model's first."},
    "resize": {
        "description": "stretch; cover (fill, cut the rest); contain (fit, pad); shorter:N (shorter side to N, then cut the centre).",  # noqa: E501
        "type": "string", "pattern": "^(stretch|cover|contain|shorter:[1-9][0-9]{0,4})$"},
    "channels": {"enum": ["rgb", "bgr", "gray"]},
    "layout": {"enum": ["nchw", "nhwc"]},
    "scale": {"description": "A number or a fraction such as 1/255.",
              "anyOf": [{"type": "number"},
                        {"type": "string", "pattern": "^[0-9.]+/[0-9.]+$"}]},
    "mean": {"$ref": "#/$defs/numbers"},
    "std": {"$ref": "#/$defs/numbers"},
    "filter": {"enum": ["bilinear", "bicubic"],
               "description": "How pictures are resampled; both antialias."},
    "pad": {"type": "number", "minimum": 0, "maximum": 255,
            "description": "The grey around a picture that resize: contain fits."},
}
SCHEMA = {
    "description": "How a picture becomes the input: resize, crop, then (pixel * scale - mean) / std with pixels 0 to 255.",  # noqa: E501
    "type": "object", "additionalProperties": False, "properties": OPTIONS}
PATTERNS = {
    "^(stretch|": "is not one of stretch, cover, contain, shorter:N (for example shorter:256)",
    "^[0-9.]+/": "is not a number or a fraction such as 1/255",
}
BODY = """\
samples:
  - image: {name}.jpg   # beside this file, or package:skimage/data/chelsea.png
    title: What the picture shows
    licence: CC0
"""


@dataclass(frozen=True, slots=True)
class Shorter:
    """Resize so that the shorter side has that many pixels (the other side is rounded down), then
    crop the centre."""

    shorter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureInput:
    """From a picture to a tensor; see kinds/picture.js and kinds/picture/resample.js.
    Steps: orient by EXIF, put on white where transparent, resize, crop the centre, then
    (value * scale - mean) / std with value in 0..255, then reorder."""

    kind: Literal["picture"]
    input: str
    """the port's name"""
    resize: Literal["cover", "contain", "stretch"] | Shorter
    """cover: fill and crop; contain: fit inside and pad; stretch: ignore proportions"""
    filter: Literal["bilinear", "bicubic"] | None = None
    """bilinear; both antialias, as Pillow does"""
    channels: Channels | None = None
    """rgb; gray is ITU-R 601 luma, as Pillow's "L\""""
    layout: Layout
    scale: float | None = None
    """1/255"""
    mean: float | tuple[float, ...] | None = None
    """one for each channel, or a single number; 0"""
    std: float | tuple[float, ...] | None = None
    """one for each channel, or a single number; 1"""
    pad: float | None = None
    """the grey (0..255) around a "contain" picture; 0"""
    size: tuple[int, int]
    """height and width of the tensor"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """What a page knows of a sample before it has come."""

    kind: Literal["picture"]
    size: tuple[int, int]
    """width and height in pixels"""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Pixels 0..255 -> (pixel * scale - mean) / std, per channel in `channels` order."""

    input: str | None = None  # None: the model's first input
    resize: str = "cover"
    filter: str = "bilinear"
    channels: str = "rgb"
    layout: str = "nchw"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    pad: float = 0.0


def read_preprocessing(fields: Fields) -> Preprocessing:
    """The section `preprocessing`, with numbers as floats.

    Raises:
        SpecError: mean or std have not one number or one for each channel, std has a 0, scale is
            no fraction, or the input would hold numbers that f32 has not.
    """
    values = dict(fields.values)
    count = 1 if values.get("channels") == "gray" else 3
    for name in ("mean", "std"):
        if name in values:
            value = values[name]
            numbers = tuple(map(float, value if isinstance(value, list) else [value]))
            if len(numbers) not in (1, count):
                raise SpecError(f"{fields.at(name)}: {len(numbers)} values for {count} "
                                f"channel{'s; write 1 or 3' if count > 1 else '; write 1'}")
            if name == "std" and 0.0 in numbers:
                raise SpecError(f"{fields.at(name)}: 0 cannot be divided by")
            values[name] = numbers
    if "scale" in values:
        values["scale"] = _fraction(values["scale"], fields.at("scale"))
    rule = Preprocessing(**values)
    if not max(map(abs, bounds(rule))) <= float(np.finfo(np.float32).max):
        raise SpecError(f"{fields.at('scale')}: with this scale, mean and std the model's input is "
                        "too large for f32; write numbers such as 1/255")
    return rule


def _fraction(value: float | str, at: str) -> float:
    if not isinstance(value, str):
        return float(value)
    above, below = value.split("/")
    try:
        return float(above) / float(below)
    except (ValueError, ZeroDivisionError):
        raise SpecError(f'{at}: "{value}" is not a number or a fraction such as 1/255') from None


def describe(rule: Preprocessing, shapes: Shapes, where: str) -> PictureInput:
    """The manifest's demo.given.

    Raises:
        SpecError: the model has no such input, or its shape is no picture's.
    """
    name = rule.input or next(iter(shapes))
    if name not in shapes:
        raise SpecError(f'{where}: preprocessing.input: the model has no input "{name}".'
                        f"{did_you_mean(name, list(shapes))}")
    shape, channels = shapes[name], 1 if rule.channels == "gray" else 3
    if len(shape) == 4 and min(shape[1:]) < 1:
        raise SpecError(f'{where}: the input "{name}" has no fixed size; '
                        f"write shapes: {{{name}: [1, {channels}, 256, 256]}}")
    at = 1 if rule.layout == "nchw" else 3
    if len(shape) != 4 or shape[0] > 1 or shape[at] != channels:
        raise SpecError(f'{where}: the input "{name}" has shape {list(shape)}; a '
                        f"{rule.channels} picture in {rule.layout} needs "
                        f"{[1, channels, 'H', 'W'] if at == 1 else [1, 'H', 'W', channels]}"
                        .replace("'", ""))
    size = shape[2:] if at == 1 else shape[1:3]
    plain = asdict(rule)
    plain.update(kind="picture", input=name, size=list(size), mean=_compact(rule.mean),
                 std=_compact(rule.std))
    if rule.resize.startswith("shorter:"):
        plain["resize"] = {"shorter": int(rule.resize.removeprefix("shorter:"))}
    return from_json(PictureInput, plain, where)


def _compact(numbers: tuple[float, ...]) -> float | list[float]:
    return numbers[0] if len(numbers) == 1 else list(numbers)


def bounds(rule: Preprocessing) -> tuple[float, float]:
    """The range that pixels 0 to 255 become."""
    ends = [(pixel * rule.scale - mean) / std for pixel in (0, 255)
            for mean in rule.mean for std in rule.std]
    return min(ends), max(ends)


def open_picture(source: Path | bytes, where: str) -> Image.Image:
    """The picture upright, in sRGB, on white. At most two copies of it are in memory at a time.

    Raises:
        SpecError: not a PNG, JPEG or WebP picture, damaged, or too large.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(stream, formats=FORMATS)
        if prod(image.size) > MAX_PIXELS:
            raise SpecError(f"{where}: the picture has {prod(image.size):,} pixels; "
                            f"a sample has at most {MAX_PIXELS:,}")
        space = space_of(image, _png_chunk(source, b"cICP") if image.format == "PNG" else None)
        image.load()
        turn = _turn(image)
        image = _plain(image, space)
        return image.transpose(turn) if turn is not None else image
    except UnidentifiedImageError:
        raise SpecError(f"{where}: this is not a PNG, JPEG or WebP picture") from None
    except Image.DecompressionBombError:
        raise SpecError(f"{where}: the picture has more than {MAX_PIXELS:,} pixels") from None
    except SpecError:
        raise
    except Exception as error:  # decoders raise what their own code happens to raise
        raise SpecError(f"{where}: the picture is damaged ({error})") from None


def _png_chunk(source: Path | bytes, name: bytes) -> bytes | None:
    """The content of a chunk of a PNG, before its pixels."""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            length = int.from_bytes(head[:4], "big")
            if head[4:] == name:
                return file.read(length)
            file.seek(length + 4, io.SEEK_CUR)
    return None


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What sets it upright: EXIF of a JPEG or a PNG. Browsers read no XMP, and Chromium and Firefox
    no EXIF of a WebP."""
    exif = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif.load(b"" if image.format == "WEBP" else image.info.get("exif", b""))
            return TURNS.get(exif.get(ORIENTATION, 1))
    except (KeyError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return None  # broken EXIF counts as absent


def _plain(image: Image.Image, space: Space | bytes | None) -> Image.Image:
    """8-bit RGB without metadata, strip by strip."""
    clear = image.has_transparency_data
    grey = image.mode.startswith("I") or image.mode in ("1", "L", "LA", "La")
    colours = "L" if grey else image.mode if image.mode == "CMYK" else "RGB"
    convert = converter(space, colours)
    if image.mode == "RGB" and space is None and not clear:
        image.info.clear()
        return image
    out = Image.new("RGB", image.size, "white")
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        if strip.mode.startswith("I"):  # 16-bit grey: Chromium keeps the higher byte, as Pillow
            strip = Image.fromarray((np.asarray(strip) >> 8).astype(np.uint8))  # does in colours
        mask = strip.convert("RGBA").getchannel("A") if clear else None
        flat = strip.convert("RGBA").convert(colours) if clear else strip.convert(colours)
        out.paste(convert(flat), (0, top), mask)
    return out


def publish(image: Image.Image) -> bytes:
    """The WebP file that visitors get."""
    size = _bounded(image.width, image.height)
    return encode(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2) if size else image)


def _bounded(width: int, height: int) -> tuple[int, int] | None:
    """The size that Image.thumbnail gives, which would copy the whole picture first; None where the
    picture is small enough."""
    aspect = width / height
    if max(width, height) <= MAX_SIDE:
        return None

    def nearest(side: float, error: Callable[[int], float]) -> int:
        return max(1, min(floor(side), ceil(side), key=error))

    if aspect >= 1:
        return MAX_SIDE, nearest(MAX_SIDE / aspect,
                                 lambda n: abs(aspect - MAX_SIDE / n) if n else 0)
    return nearest(MAX_SIDE * aspect, lambda n: abs(aspect - n / MAX_SIDE)), MAX_SIDE


def encode(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def thumbnail(image: Image.Image, width: int, height: int) -> bytes:
    """A WebP of exactly that size; what is cut away is rather below than above, where faces are."""
    centre = (0.5, 0.35)
    return encode(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS, centering=centre))


def fit(image: Image.Image, rule: Preprocessing, size: tuple[int, int]) -> Image.Image:
    """The part of the picture that the model sees, at `size` (height, width)."""
    height, width = size
    if rule.resize == "stretch":
        across, down = width, height
    elif rule.resize.startswith("shorter:"):
        wanted, short = int(rule.resize.removeprefix("shorter:")), min(image.size)
        across, down = (max(1, side * wanted // short) for side in image.size)
    else:
        choose = max if rule.resize == "cover" else min
        scale = choose(width / image.width, height / image.height)
        across, down = (max(1, floor(side * scale + 0.5)) for side in image.size)
    left, top = (across - width) // 2, (down - height) // 2
    columns = range(max(left, 0), min(left + width, across))
    rows = range(max(top, 0), min(top + height, down))
    out = Image.new("RGB", (width, height), (int(rule.pad),) * 3)
    seen = resample(np.asarray(image), (across, down), columns, rows, rule.filter)
    out.paste(Image.fromarray(seen), (columns.start - left, rows.start - top))
    return out


def to_tensor(image: Image.Image, rule: Preprocessing) -> np.ndarray:
    """f32[1,C,H,W] or f32[1,H,W,C] of a picture of the model's size."""
    if rule.channels == "gray":
        pixels = np.asarray(image.convert("L"), np.float64)[..., None]  # [H,W,1]
    else:
        pixels = np.asarray(image, np.float64)  # [H,W,3]
        if rule.channels == "bgr":
            pixels = pixels[..., ::-1]
    values = (pixels * rule.scale - np.asarray(rule.mean)) / np.asarray(rule.std)
    if rule.layout == "nchw":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[None], np.float32)


def see(image: Image.Image, described: PictureInput, rule: Preprocessing) -> Image.Image:
    """The part of the picture that the model sees, at the size that `describe` gave."""
    return fit(image, rule, described.size)


def state(image: Image.Image) -> PictureFacts:
    """What the manifest says of a sample."""
    return PictureFacts(kind="picture", size=image.size)


def card(image: Image.Image) -> bytes:
    """The WebP that a gallery shows."""
    return thumbnail(image, *CARD)


KIND = Kind("picture", Words(
    one="picture",
    many="pictures",
    empty="Choose a picture of your own to see what the model makes of it.",
    promise="Pictures that you choose never leave your browser. The model comes to you, and "
            "nothing is sent.",
), Given(
    field="image",
    about="A path beside the spec, or package:skimage/data/chelsea.png.",
    section="preprocessing",
    options=SCHEMA,
    body=BODY,
    suffix="webp",
    described=PictureInput,
    facts=PictureFacts,
    read=read_preprocessing,
    describe=describe,
    bounds=bounds,
    open=open_picture,
    publish=publish,
    state=state,
    see=see,
    to_tensor=to_tensor,
    thumbnail=lambda image: thumbnail(image, THUMBNAIL, THUMBNAIL),
    card=card,
    patterns=PATTERNS,
))
