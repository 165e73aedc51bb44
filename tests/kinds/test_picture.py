"""Pictures: the same numbers as in the browser, and nothing strange let in."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from onnxpress.errors import SpecError
from onnxpress.kinds.picture import (
    MAX_SIDE,
    Preprocessing,
    describe,
    fit,
    open_picture,
    publish,
    to_tensor,
)
from onnxpress.pack.values import to_json
from onnxpress.run.browser import Browser
from onnxpress.tasks.image_to_image import to_picture
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage import data
from support.tasks import options_of

FIT = """
import { fit, toTensor } from "/runtime/kinds/picture/tensor.js";
export const run = ({ width, height, image }, body) => {
  const pixels = { data: new Uint8ClampedArray(body), width, height };
  return { body: toTensor(fit(pixels, image), image) };
};
"""
DECODE = """
import { readPicture } from "/runtime/kinds/picture.js";
export const run = async (_, body) => {
  const picture = await readPicture(new Blob([body], { type: "image/webp" }), "sample");
  const { data, width, height } = picture.pixels();
  return { value: [width, height], body: data };
};
"""
def saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


RED = Image.new("RGB", (6, 4), (200, 30, 30))

RULES = {
    "cover": Preprocessing(),
    "contain": Preprocessing(resize="contain", pad=114, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)),
    "stretch": Preprocessing(resize="stretch", filter="bicubic", channels="bgr"),
    "shorter": Preprocessing(resize="shorter:40", layout="nhwc", scale=1.0, mean=(127.0,)),
    "gray": Preprocessing(channels="gray", std=(0.5,)),
}


PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def pillow_fit(image: Image.Image, rule: Preprocessing, size: tuple[int, int]) -> Image.Image:
    """What `fit` means: the whole picture resized by Pillow, columns first, then cut."""
    height, width = size
    if rule.resize == "stretch":
        sides = [width, height]
    elif rule.resize.startswith("shorter:"):
        sides = [side * int(rule.resize[8:]) // min(image.size) for side in image.size]
    else:
        choose = max if rule.resize == "cover" else min
        scale = choose(width / image.width, height / image.height)
        sides = [max(1, int(side * scale + 0.5)) for side in image.size]
    how = PILLOW[rule.filter]
    scaled = image.resize((sides[0], image.height), how).resize((sides[0], sides[1]), how)
    out = Image.new("RGB", (width, height), (int(rule.pad),) * 3)
    out.paste(scaled, ((width - sides[0] + 1) // 2, (height - sides[1] + 1) // 2))
    return out


@pytest.mark.parametrize("how", PILLOW)
@pytest.mark.parametrize("resize", ["stretch", "cover", "contain", "shorter:50"])
def test_a_window_has_pillow_s_bits(resize: str, how: str) -> None:
    rng = np.random.default_rng(len(resize + how))
    rule = Preprocessing(resize=resize, filter=how, pad=7)
    for width, height in [(1, 1), (2, 90), (131, 77), (40, 40), *rng.integers(1, 150, (20, 2))]:
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
        size = (int(rng.integers(1, 90)), int(rng.integers(1, 90)))
        np.testing.assert_array_equal(np.asarray(fit(image, rule, size)),
                                      np.asarray(pillow_fit(image, rule, size)))


def test_a_window_of_a_strip_costs_no_more_than_the_window() -> None:
    """Scaled as a whole, the strip would have 1,120,000 x 224 pixels, 0.75 GB."""
    strip = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 20_000, 3), np.uint8))
    tracemalloc.start()
    assert fit(strip, Preprocessing(), (224, 224)).size == (224, 224)
    fit(strip.transpose(Image.Transpose.TRANSPOSE), Preprocessing(), (224, 224))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(("size", "source"), [((32, 48), (131, 77)), ((48, 32), (31, 200)),
                                              ((40, 40), (40, 40)), ((32, 48), (20_000, 4)),
                                              ((48, 32), (4, 20_000))])
def test_the_browser_gets_the_same_input(browser: Browser, rule: Preprocessing,
                                         size: tuple[int, int], source: tuple[int, int]) -> None:
    width, height = source
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    channels = 1 if rule.channels == "gray" else 3
    shape = (1, channels, *size) if rule.layout == "nchw" else (1, *size, channels)
    image = to_json(describe(rule, {"x": shape}, "d.yml"))
    reply = browser.run(FIT, {"width": width, "height": height, "image": image}, pixels.tobytes())
    ours = to_tensor(fit(Image.fromarray(pixels), rule, size), rule)
    assert ours.shape == shape
    np.testing.assert_array_equal(np.frombuffer(reply.body, np.float32), ours.ravel())


def test_the_browser_decodes_the_same_pixels(browser: Browser) -> None:
    content = publish(Image.fromarray(data.chelsea()))
    reply = browser.run(DECODE, body=content)
    ours = np.asarray(open_picture(content, "here"))
    assert reply.value == [ours.shape[1], ours.shape[0]]
    np.testing.assert_array_equal(np.frombuffer(reply.body, np.uint8), ours.ravel())


def test_every_kind_of_picture_becomes_plain_rgb() -> None:
    ramp = np.linspace(0, 65535, 24).astype(np.uint16).reshape(4, 6)
    kinds = {
        "png": saved(RED, "PNG"),
        "jpeg": saved(RED, "JPEG", quality=95),
        "cmyk": saved(RED.convert("CMYK"), "JPEG", quality=95),
        "palette": saved(RED.quantize(4), "PNG"),
        "grey": saved(RED.convert("L"), "PNG"),
        "16 bit": saved(Image.fromarray(ramp), "PNG"),
        "animated": saved(RED, "WEBP", save_all=True, append_images=[RED.rotate(180)]),
    }
    for name, content in kinds.items():
        image = open_picture(content, name)
        assert (image.mode, image.size, dict(image.info)) == ("RGB", (6, 4), {}), name
    greys = np.asarray(open_picture(kinds["16 bit"], "16"))[..., 0]
    assert (greys[0, 0], greys[-1, -1]) == (0, 255)


def test_transparent_is_white() -> None:
    clear = Image.new("RGBA", (6, 4), (0, 0, 0, 0))
    assert open_picture(saved(clear, "PNG"), "clear").getpixel((0, 0)) == (255, 255, 255)


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


XMP = (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
       b'syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
       b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>')
SPOT = Image.new("RGB", (48, 32))
SPOT.paste((255, 255, 255), (0, 0, 16, 16))
XMP_IN_PNG = PngInfo()
XMP_IN_PNG.add_itxt("XML:com.adobe.xmp", XMP.decode())
# Browsers turn by EXIF, but not by XMP, and Chromium and Firefox not by the EXIF of a WebP.
ORIENTED = {
    **{f"{kind} {value}": saved(SPOT, kind, exif=orientation(value))
       for kind in ("JPEG", "PNG") for value in range(1, 9)},
    "WebP": saved(SPOT, "WEBP", lossless=True, exif=orientation(6)),
    "XMP in JPEG": saved(SPOT, "JPEG", xmp=XMP),
    "XMP in PNG": saved(SPOT, "PNG", pnginfo=XMP_IN_PNG),
    "XMP in WebP": saved(SPOT, "WEBP", lossless=True, xmp=XMP),
    "no such value": saved(SPOT, "JPEG", exif=orientation(9)),
    "broken EXIF": saved(SPOT, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("name", ORIENTED)
def test_the_build_sets_upright_what_chromium_does(browser: Browser, name: str) -> None:
    reply = browser.run(DECODE, body=ORIENTED[name])
    ours = np.asarray(open_picture(ORIENTED[name], "here"))
    assert reply.value == [ours.shape[1], ours.shape[0]]
    shown = np.frombuffer(reply.body, np.uint8).reshape(ours.shape)
    # JPEG decoders differ by a rounding: the spot is 255 levels brighter than the rest.
    np.testing.assert_allclose(ours.astype(int), shown, atol=8)


def test_orientation_needs_no_browser() -> None:
    turned = [name for name, content in ORIENTED.items()
              if open_picture(content, name).size == (32, 48)]
    assert turned == [f"{kind} {value}" for kind in ("JPEG", "PNG") for value in (5, 6, 7, 8)]


def test_a_published_sample_is_bounded_and_says_nothing_of_its_camera() -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    large = open_picture(saved(RED.resize((3000, 10)), "JPEG", exif=exif), "large")
    content = publish(large)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (MAX_SIDE, 3)
        assert not image.getexif()
    assert publish(large) == content, "same picture, same bytes"
    small = open_picture(saved(RED, "JPEG", exif=exif, xmp=XMP, comment=b"secret"), "small")
    with Image.open(io.BytesIO(publish(small))) as image:
        assert not image.getexif() and not {"xmp", "comment"} & image.info.keys()


def test_the_bound_is_thumbnail_s() -> None:
    for width, height in np.random.default_rng(0).integers(1, 3000, (12, 2)):
        image = Image.new("L", (int(width), int(height)))
        published = Image.open(io.BytesIO(publish(image)))
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        assert published.size == image.size


MEASURE = """
import re, sys
from pathlib import Path
from onnxpress.kinds.picture import open_picture, publish
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
open_picture(Path(sys.argv[1]), "small")
before = peak()
publish(open_picture(Path(sys.argv[2]), "large"))
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
@pytest.mark.parametrize(("mode", "copies"), [("RGB", 1), ("RGBA", 2)])
def test_a_large_picture_is_in_memory_once_or_twice(tmp_path: Path, mode: str, copies: int) -> None:
    paths = [tmp_path / "small.png", tmp_path / "large.png"]
    for path, side in zip(paths, (40, 4000), strict=True):
        Image.new(mode, (side, side)).save(path, compress_level=1)
    done = subprocess.run([sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True,
                          check=True)
    copy = 4 * 4000 * 4000  # bytes; beside the copies, strips of 2^20 pixels and the encoder's own
    assert int(done.stdout) < (copies + 0.75) * copy


def bomb() -> bytes:
    """A PNG header that promises 900 megapixels."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(
            ">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(("content", "sentence"), [
    (bomb(), "here: the picture has "),
    (saved(RED, "JPEG")[:200], "here: the picture is damaged"),
    (saved(Image.fromarray(data.coffee()), "PNG")[:5000], "here: the picture is damaged"),
    (saved(RED, "GIF"), "here: this is not a PNG, JPEG or WebP picture"),
    (saved(RED, "TIFF"), "here: this is not a PNG, JPEG or WebP picture"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "here: this is not a PNG"),
    (b"", "here: this is not a PNG"),
], ids=["bomb", "cut JPEG", "cut PNG", "GIF", "TIFF", "SVG", "empty"])
def test_what_is_no_picture_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_picture(content, "here")
    assert str(caught.value).startswith(sentence)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="the picture is damaged"):
        open_picture(tmp_path / "none.png", "here")


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_a_picture_survives_the_way_in_and_out(layout: str, channels: str) -> None:
    image = Image.fromarray(data.coffee()).resize((24, 16))
    values = to_tensor(image, Preprocessing(layout=layout, channels=channels))
    back = to_picture(values, options_of("image-to-image", layout=layout, channels=channels))
    np.testing.assert_array_equal(np.asarray(back), np.asarray(image))
