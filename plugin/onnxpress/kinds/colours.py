"""Colours of a picture file -> sRGB, by the chunks and profiles that Chromium reads.

In a PNG the first of these counts: cICP, an ICC profile, sRGB, gAMA with cHRM. A cICP chunk that
Chromium does not know counts as absent. HDR (PQ and HLG) is mapped to SDR as Chromium maps it.
Sources: PNG, third edition, 4.3; Skia, src/codec/SkPngRustCodec.cpp; ITU-T H.273, tables 2 and 3.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

Curve = Callable[[np.ndarray], np.ndarray]

D65 = (0.3127, 0.3290)
D50 = (0.96422, 1.0, 0.82521)  # XYZ of the white that profiles meet in
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367],
                     [0.0389, -0.0685, 1.0296]])
SRGB = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
BT2020 = (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)

# H.273 table 2: code -> x and y of white, red, green, blue.
PRIMARIES = {
    1: SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: BT2020,
    10: (1 / 3, 1 / 3, 1, 0, 0, 1, 0, 0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}

WHITE = 203  # cd/m2 of SDR's white among HDR. Source: ITU-R BT.2408
PEAK = 1000 / WHITE  # of HDR, over SDR's white


def _power(exponent: float) -> Curve:
    return lambda x: x**exponent


def _srgb(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _smpte_240(x: np.ndarray) -> np.ndarray:
    return np.where(x < 4 * 0.0228, x / 4, ((x + 0.1115) / 1.1115) ** (1 / 0.45))


def _smpte_428(x: np.ndarray) -> np.ndarray:
    return 52.37 / 48 * x**2.6


def _pq(x: np.ndarray) -> np.ndarray:
    """Over SDR's white. Source: SMPTE ST 2084."""
    power = x ** (32 / 2523)
    ratio = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    return 10_000 / WHITE * ratio ** (16384 / 2610)


def _hlg(x: np.ndarray) -> np.ndarray:
    """Of the scene, 0 to 1. Source: ITU-R BT.2100, table 5."""
    return np.where(x <= 0.5, x * x / 3, (np.exp((x - 0.55991073) / 0.17883277) + 0.28466892) / 12)


PQ, HLG = 16, 18
# H.273 table 3: code -> from a value 0..1 to light. Chromium shows television by BT.1886.
TRANSFERS: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 11, 14, 15), _power(2.4)), 4: _power(2.2), 5: _power(2.8),
    7: _smpte_240, 8: _power(1), 13: _srgb, PQ: _pq, 17: _smpte_428, HLG: _hlg}


@dataclass(frozen=True, slots=True)
class Space:
    """`curve`: from a value 0..1 to light; `hdr`: PQ, HLG or 0."""

    curve: Curve
    primaries: tuple[float, ...]
    hdr: int = 0


def space_of(image: Image.Image, cicp: bytes | None) -> Space | bytes | None:
    """The colour space that the file names, its ICC profile, or None for sRGB. `cicp`: the content
    of a PNG's chunk.

    Raises:
        ValueError: the chunk gives a matrix, which no PNG has.
    """
    if cicp and len(cicp) == 4:
        primaries, transfer, matrix, full = cicp
        if matrix:
            raise ValueError("its cICP chunk has a matrix")
        if full == 1 and primaries in PRIMARIES and transfer in TRANSFERS:
            hdr = transfer if transfer in (PQ, HLG) else 0
            return Space(TRANSFERS[transfer], PRIMARIES[primaries], hdr)
    if profile := image.info.get("icc_profile"):
        return profile
    gamma, chroma = image.info.get("gamma", 0), image.info.get("chromaticity")
    if image.format != "PNG" or "srgb" in image.info or gamma <= 0:
        return None
    if chroma is None:
        # Within 5 % of 1 / 2.2 a gamma alone stands for sRGB.
        return Space(_power(1 / gamma), SRGB) if not 0.95 < gamma * 2.2 < 1.05 else None
    return Space(_power(1 / gamma), chroma) if _is_gamut(chroma) else None


def _is_gamut(chroma: tuple[float, ...]) -> bool:
    """Whether white and primaries span a space."""
    x, y = np.asarray(chroma[2::2]), np.asarray(chroma[3::2])
    spread = np.linalg.det([x, y, 1 - x - y])
    return chroma[1] > 0 and min(chroma) >= 0 and max(chroma) <= 1 and abs(spread) > 1e-6


def _to_xyz(chroma: tuple[float, ...]) -> np.ndarray:
    """From light in red, green and blue to XYZ with the white D50."""
    (white_x, white_y), x, y = chroma[:2], np.asarray(chroma[2::2]), np.asarray(chroma[3::2])
    colours = np.array([x, y, 1 - x - y])
    white = np.array([white_x, white_y, 1 - white_x - white_y]) / white_y
    adapt = np.diag((BRADFORD @ D50) / (BRADFORD @ white))
    return np.linalg.inv(BRADFORD) @ adapt @ BRADFORD @ (colours * np.linalg.solve(colours, white))


def _between(source: tuple[float, ...], target: tuple[float, ...]) -> np.ndarray:
    return np.linalg.inv(_to_xyz(target)) @ _to_xyz(source)


def _to_sdr(light: np.ndarray, hdr: int) -> np.ndarray:
    """Light[N,3] of BT.2020 with SDR's white at 1 and more above it -> 0..1.

    HLG first gets the brightness of a display of 1000 cd/m2. Then the largest component gives a
    factor for all three: half below white, from there a parabola to the peak.
    Source: ITU-R BT.2100, table 5; SMPTE ST 2094-50, reference white tone mapping.
    """
    if hdr == HLG:
        luminance = np.maximum(light @ (0.2627, 0.6780, 0.0593), 0)
        light = light * (PEAK * luminance**0.2)[:, None]
    top = light.max(axis=1)
    start, (middle_x, middle_y) = 0.5, (1.65, 0.825)
    slope, bend = 2 * (middle_x - 1), 1 - 2 * middle_x + PEAK
    root = np.sqrt(np.maximum(slope * slope + 4 * bend * (top - 1), 0))
    t = np.clip((root - slope) / (2 * bend), 0, 1)
    shoulder = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle_y + t * t
    mapped = np.where(top <= 1, start * top, shoulder)
    return light * (mapped / np.maximum(top, 1e-9))[:, None]


STEPS = _srgb((np.arange(1, 256) - 0.5) / 255)  # light from which on each byte of sRGB counts


def converter(space: Space | bytes | None, mode: str) -> Callable[[Image.Image], Image.Image]:
    """A function from pictures of the mode (RGB, L or CMYK) to RGB pictures in sRGB."""
    if isinstance(space, bytes):
        return _by_profile(space, mode)
    if space is None:
        return lambda image: image.convert("RGB")
    light = space.curve(np.arange(256) / 255)

    def convert(image: Image.Image) -> Image.Image:
        pixels = light[np.asarray(image.convert("RGB")).reshape(-1, 3)]  # [N,3]
        if space.hdr:
            pixels = _to_sdr(pixels @ _between(space.primaries, BT2020).T, space.hdr)
        pixels = pixels @ _between(BT2020 if space.hdr else space.primaries, SRGB).T
        found = np.searchsorted(STEPS, pixels, side="right").astype(np.uint8)
        return Image.fromarray(found.reshape(image.height, image.width, 3))

    return convert


def _by_profile(profile: bytes, mode: str) -> Callable[[Image.Image], Image.Image]:
    """A profile of another kind of colours, or a broken one, counts as absent, as in browsers. Grey
    pictures may have a profile for RGB."""
    for given in dict.fromkeys((mode, "RGB" if mode == "L" else mode)):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            change = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), given, "RGB")
        except (ImageCms.PyCMSError, OSError):
            continue
        return lambda image, given=given, change=change: change.apply(image.convert(given))
    return converter(None, mode)
