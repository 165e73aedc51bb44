"""Pictures: the same numbers as in the browser, and nothing strange let in."""

import io
import struct
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
RULES = {
    "cover": Preprocessing(),
    "contain": Preprocessing(resize="contain", pad=114, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)),
    "stretch": Preprocessing(resize="stretch", filter="bicubic", channels="bgr"),
    "shorter": Preprocessing(resize="shorter:40", layout="nhwc", scale=1.0, mean=(127.0,)),
    "gray": Preprocessing(channels="gray", std=(0.5,)),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(("size", "source"), [((32, 48), (131, 77)), ((48, 32), (31, 200)),
                                              ((40, 40), (40, 40))])
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


def saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


RED = Image.new("RGB", (6, 4), (200, 30, 30))


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


def test_transparent_is_white_and_exif_turns() -> None:
    clear = Image.new("RGBA", (6, 4), (0, 0, 0, 0))
    assert open_picture(saved(clear, "PNG"), "clear").getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert open_picture(saved(RED, "JPEG", exif=exif), "turned").size == (4, 6)


def test_a_published_sample_is_bounded_and_says_nothing_of_its_camera() -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    large = open_picture(saved(RED.resize((3000, 10)), "JPEG", exif=exif), "large")
    content = publish(large)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (MAX_SIDE, 3)
        assert not image.getexif()
    assert publish(large) == content, "same picture, same bytes"


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
