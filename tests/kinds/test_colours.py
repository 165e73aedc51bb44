"""Colours: what a file says of them, as Chromium shows them."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from onnxpress.errors import SpecError
from onnxpress.kinds.picture import open_picture
from onnxpress.run.browser import Browser
from PIL import Image
from support.png_chunks import P3, SRGB, chrm, cicp, gama, icc, insert, png_of

RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 256, (64, 64, 3), np.uint8)
PIXELS[:4] = np.arange(256, dtype=np.uint8).reshape(4, 64, 1)
RGB = Image.fromarray(PIXELS)
CLEAR = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[:, None], (64, 64, 1))
RGBA = Image.fromarray(np.concatenate([PIXELS, CLEAR], axis=2))
WIDE = RNG.integers(0, 65536, (64, 64, 3)).astype(np.uint16)
DECODE = """
import { readPicture } from "/runtime/kinds/picture.js";
export const run = async (_, body) => {
  const { data, width, height } = (await readPicture(new Blob([body]), "t")).pixels();
  return { value: [height, width], body: data };
};
"""


def file_of(image: Image.Image, *chunks: tuple[bytes, bytes], kind: str = "PNG",
            **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return insert(out.getvalue(), *chunks) if chunks else out.getvalue()


def opened(content: bytes) -> np.ndarray:
    return np.asarray(open_picture(content, "here")).astype(int)


PROFILE = {"icc_profile": icc(2.2)}
FILES: dict[str, Callable[[], bytes]] = {
    "gamma 1": lambda: file_of(RGB, gama(1)),
    "gamma 1/2.6": lambda: file_of(RGB, gama(1 / 2.6)),
    "a gamma like sRGB's": lambda: file_of(RGB, gama(0.46)),
    "a gamma of 0": lambda: file_of(RGB, gama(0)),
    "gamma and primaries": lambda: file_of(RGB, gama(0.45455), chrm(*P3)),
    "gamma and sRGB's primaries": lambda: file_of(RGB, gama(0.45455), chrm(*SRGB)),
    "primaries alone": lambda: file_of(RGB, chrm(*P3)),
    "primaries that span nothing": lambda: file_of(RGB, gama(1), chrm(0.31, 0.33, *[0.3] * 6)),
    "sRGB before gamma": lambda: file_of(RGB, (b"sRGB", b"\0"), gama(1), chrm(*P3)),
    "a profile before sRGB": lambda: file_of(RGB, (b"sRGB", b"\0"), gama(1), **PROFILE),
    "cICP before a profile": lambda: file_of(RGB, cicp(9, 13), **PROFILE),
    "a cICP of an unknown curve": lambda: file_of(RGB, cicp(9, 12), **PROFILE),
    "a cICP of a narrow range": lambda: file_of(RGB, cicp(9, 13, full=0), gama(1)),
    **{f"cICP {p} {t}": lambda p=p, t=t: file_of(RGB, cicp(p, t))
       for p, t in [*((p, 13) for p in (1, 4, 5, 6, 7, 9, 10, 11, 12, 22)),
                    *((1, t) for t in (1, 4, 5, 6, 7, 8, 11, 14, 15, 16, 17, 18)),
                    (9, 16), (12, 16), (9, 18), (12, 18)]},
    "a profile": lambda: file_of(RGB, **PROFILE),
    "a profile, opaque": lambda: file_of(RGB.convert("RGBA"), **PROFILE),
    "a profile, half clear": lambda: file_of(RGBA, **PROFILE),
    "a profile, palette": lambda: file_of(RGB.quantize(128), **PROFILE),
    "a profile, clear palette": lambda: file_of(RGB.quantize(128), **PROFILE,
                                                transparency=bytes(range(0, 256, 2))),
    "a profile, one clear colour": lambda: file_of(
        RGB, **PROFILE, transparency=tuple(map(int, PIXELS[9, 9]))),
    "a profile, grey": lambda: file_of(RGB.convert("L"), **PROFILE),
    "a profile, grey and clear": lambda: file_of(RGBA.convert("LA"), **PROFILE),
    "a profile, WebP half clear": lambda: file_of(RGBA, kind="WEBP", lossless=True, **PROFILE),
    "a profile, JPEG": lambda: file_of(RGB, kind="JPEG", quality=95, **PROFILE),
    "a broken profile": lambda: file_of(RGBA, icc_profile=b"nothing"),
    "gamma, half clear": lambda: file_of(RGBA, gama(1)),
    "gamma, grey": lambda: file_of(RGB.convert("L"), gama(0.7)),
    "gamma, grey and clear": lambda: file_of(RGBA.convert("LA"), gama(0.7)),
    "gamma, palette": lambda: file_of(RGB.quantize(128), gama(0.7)),
    "gamma, 16 bit": lambda: png_of(WIDE, gama(0.7)),
    "gamma, 16-bit grey": lambda: png_of(WIDE[..., :1], gama(0.7)),
    "16 bit": lambda: png_of(WIDE),
    "16-bit grey": lambda: png_of(WIDE[..., :1]),
    "half clear": lambda: file_of(RGBA),
}


@pytest.mark.parametrize("name", FILES)
def test_the_build_sees_what_chromium_shows(browser: Browser, name: str) -> None:
    """Both compute the same number, Chromium in f32 and with an approximated power. They may round
    a number close to the middle of two bytes to either, so 1 level is the bound."""
    content = FILES[name]()
    reply = browser.run(DECODE, body=content)
    shown = np.frombuffer(reply.body, np.uint8).reshape(*reply.value, 3).astype(int)
    ours = opened(content)
    assert ours.shape == shown.shape
    apart = np.abs(ours - shown)
    if name.startswith("cICP") and name.endswith(" 16"):
        apart = apart[np.abs(light(ours) - light(shown)) > PQ_LIGHT]
    assert apart.max(initial=0) <= 1


# PQ divides by c2 - c3 * power, which is small near the peak: there a relative error of the power
# grows by (c3 / 0.3) * (16384 / 2610) = 390. Skia's power is off by about 1e-5, so light by 0.4 %,
# each primary by itself. From BT.2020 to sRGB the factors of a row have the sum 2.3 without signs.
PQ_LIGHT = 0.004 * 2.3  # of white


def light(levels: np.ndarray) -> np.ndarray:
    """Of sRGB, 0 to 1."""
    x = levels / 255
    return np.where(x < 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("kind", ["rgba", "palette", "grey and alpha"])
def test_a_profile_counts_whatever_the_picture_is_stored_as(kind: str) -> None:
    image = {"rgba": RGB.convert("RGBA"), "palette": RGB.quantize(256),
             "grey and alpha": RGB.convert("LA")}[kind]
    assert np.abs(opened(file_of(image)) - opened(file_of(image, **PROFILE))).max() > 5
    np.testing.assert_array_equal(opened(file_of(image, **PROFILE)),
                                  opened(file_of(image.convert("RGB"), **PROFILE)))


def test_large_pictures_are_converted_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [file_of(RGBA, **PROFILE), file_of(RGBA, cicp(9, 16)), png_of(WIDE[..., :1])]
    whole = [opened(content) for content in files]
    monkeypatch.setattr("onnxpress.kinds.picture.STRIP", 200)
    for content, wanted in zip(files, whole, strict=True):
        np.testing.assert_array_equal(opened(content), wanted)


def test_a_matrix_in_cicp_is_no_png() -> None:
    with pytest.raises(SpecError, match=r"the picture is damaged \(its cICP chunk has a matrix"):
        open_picture(file_of(RGB, cicp(9, 13, matrix=1)), "here")
