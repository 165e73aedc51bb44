"""Picture files -> pixels -> model inputs, by the same rules as the browser's inputs/*.js.

Only three decoders are admitted, sizes are bounded before pixels are read, and what is published
is always encoded anew, without metadata.
"""

import io
import warnings
from collections.abc import Sequence
from math import floor, prod
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import SpecError
from ..spec import Output, Preprocessing

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 64_000_000
MAX_SIDE = 1024  # of a published sample; the browser resizes up to 4 megapixels exactly
QUALITY = 90
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def open_picture(source: Path | bytes, where: str) -> Image.Image:
    """The picture upright, in sRGB, on white.

    Raises:
        SpecError: not a PNG, JPEG or WebP picture, damaged, or too large.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(stream, formats=FORMATS)
        if prod(image.size) > MAX_PIXELS:
            raise SpecError(f"{where}: the picture has {prod(image.size):,} pixels; "
                            f"a sample has at most {MAX_PIXELS:,}")
        image.load()
        return _plain(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise SpecError(f"{where}: this is not a PNG, JPEG or WebP picture") from None
    except Image.DecompressionBombError:
        raise SpecError(f"{where}: the picture has more than {MAX_PIXELS:,} pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise SpecError(f"{where}: the picture is damaged ({error})") from None


def _plain(image: Image.Image) -> Image.Image:
    """8-bit RGB without metadata."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16-bit grey
        image = Image.fromarray((np.asarray(image, np.float64) / 257).round().astype(np.uint8))
    if profile and image.mode in ("RGB", "L", "CMYK"):
        image = _to_srgb(image, profile)
    if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
        over = image.convert("RGBA")
        image = Image.new("RGBA", over.size, "white")
        image.alpha_composite(over)
    image = image.convert("RGB")
    return Image.frombytes("RGB", image.size, image.tobytes())


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"),
                                         outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile: the pixels count as sRGB, as in browsers


def publish(image: Image.Image) -> bytes:
    """The WebP file that visitors get."""
    image = image.copy()
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return encode(image)


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
    resample = FILTERS[rule.filter]
    if rule.resize == "stretch":
        return _resize(image, (width, height), resample)
    if rule.resize.startswith("shorter:"):
        wanted, short = int(rule.resize.removeprefix("shorter:")), min(image.size)
        sides = [max(1, side * wanted // short) for side in image.size]
    else:
        choose = max if rule.resize == "cover" else min
        scale = choose(width / image.width, height / image.height)
        sides = [max(1, floor(side * scale + 0.5)) for side in image.size]
    scaled = _resize(image, sides, resample)
    left, top = (sides[0] - width) // 2, (sides[1] - height) // 2
    out = Image.new("RGB", (width, height), (int(rule.pad),) * 3)
    out.paste(scaled, (-left, -top))
    return out


def _resize(image: Image.Image, size: Sequence[int], resample: Image.Resampling) -> Image.Image:
    """Columns first, then rows: Pillow 13 changes the order of its passes with the proportions,
    earlier releases and the browser's resample.js do not, and each pass rounds."""
    width, height = size
    return image.resize((width, image.height), resample).resize((width, height), resample)


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
