"""Numbers that the browser and Python must make alike: weights, golden inputs, pictures."""

import io
import json

import numpy as np
import pytest
from onnxpress.kinds.picture import Preprocessing, fit, to_tensor
from onnxpress.manifest.manifest import Port
from onnxpress.pack.values import to_json
from onnxpress.proof.draws import SEEDS, draw
from onnxpress.run.browser import Browser
from onnxpress.tasks.image_to_image import to_picture
from PIL import Image
from support.tasks import options_of


def test_every_half_decodes_exactly(browser: Browser) -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    got = browser.run("""
        import { decode } from "/runtime/load/decode.js";
        export const run = (_, body) => ({ body: decode("f16", new Uint8Array(body)) });
    """, body=halves.tobytes()).body
    np.testing.assert_array_equal(np.frombuffer(got, np.float32), halves.astype(np.float32))


def test_int8_scales_by_the_last_axis(browser: Browser) -> None:
    q = np.arange(-12, 12, dtype=np.int8).reshape(6, 4)
    scale = np.array([0.5, 1, 2, 0.125], np.float32)
    got = browser.run("""
        import { decode } from "/runtime/load/decode.js";
        export const run = (_, body) => ({ body: decode("int8", new Uint8Array(body, 16),
          new Uint8Array(body, 0, 16)) });
    """, body=scale.tobytes() + q.tobytes()).body
    np.testing.assert_array_equal(np.frombuffer(got, np.float32).reshape(6, 4), q * scale)


def test_golden_inputs_are_the_same_numbers(browser: Browser) -> None:
    ports = [Port("x", (3, 40), "f32"), Port("n", (50,), "i64")]
    bounds = [(-2.5, 1.25), (0.0, 9.0)]
    got = browser.run("""
        import { goldenInputs } from "/runtime/model/golden.js";
        export const run = ({ seed, ports, ranges }) =>
          ({ body: goldenInputs({ seed, ranges }, ports) });
    """, {"seed": SEEDS[2], "ports": to_json(ports), "ranges": bounds}).body
    wanted = np.concatenate([a.ravel() for a in draw(ports, bounds, SEEDS[2]).values()])
    np.testing.assert_array_equal(np.frombuffer(got, np.float32), wanted)


@pytest.mark.parametrize("metric, wanted", [("peak", 0.25), ("l2", 1 / 5)])
def test_a_golden_error_is_measured_as_asked(
        browser: Browser, metric: str, wanted: float) -> None:
    got = browser.run("""
        import { goldenError } from "/runtime/model/golden.js";
        const outputs = [{ indices: [0, 2], values: [3, 4], peak: 4 }];
        export const run = ({ metric }) => ({ value: [
          goldenError({ metric, outputs }, [new Float32Array([3, 9, 5])]),
          goldenError({ metric, outputs }, [new Float32Array([3, 9, NaN])]) === Infinity] });
    """, {"metric": metric}).value
    assert got == [pytest.approx(wanted), True]


RULES = {
    "cover": Preprocessing(filter="bicubic", scale=1, mean=(127.0,), std=(128.0,)),
    "contain": Preprocessing(resize="contain", pad=114, channels="bgr", layout="nhwc"),
    "stretch": Preprocessing(resize="stretch", channels="gray"),
    "shorter": Preprocessing(resize="shorter:40", mean=(0.485, 0.456, 0.406),
                             std=(0.229, 0.224, 0.225)),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("size", [(57, 91), (120, 33), (32, 32), (9, 14)])
def test_a_picture_becomes_the_tensor_that_pillow_makes(
        browser: Browser, name: str, size: tuple[int, int]) -> None:
    """Lossless file in, tensor out, through the browser's own decoder and canvas."""
    rule, rng = RULES[name], np.random.default_rng(sum(size))
    picture = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    out = io.BytesIO()
    picture.save(out, "PNG")
    image = {"size": [32, 32], "filter": rule.filter, "layout": rule.layout, "pad": rule.pad,
             "channels": rule.channels, "scale": rule.scale, "mean": list(rule.mean),
             "std": list(rule.std), "resize": {"shorter": 40} if name == "shorter" else rule.resize}
    if name != "shorter":
        image |= {"mean": rule.mean[0], "std": rule.std[0]}
    got = browser.run("""
        import { readPicture } from "/runtime/kinds/picture.js";
        import { fit, toTensor } from "/runtime/kinds/picture/tensor.js";
        export const run = async (image, body) => {
          const picture = await readPicture(new Blob([body]), "noise");
          return { body: toTensor(fit(picture.pixels(), image), image) };
        };
    """, image, out.getvalue()).body
    wanted = to_tensor(fit(picture, rule, (32, 32)), rule)
    np.testing.assert_array_equal(np.frombuffer(got, np.float32).reshape(wanted.shape), wanted)


def test_a_transparent_upright_picture(browser: Browser) -> None:
    """EXIF orientation 6 turns it; what is transparent becomes white."""
    picture = Image.new("RGBA", (4, 2), (0, 0, 255, 0))
    picture.putpixel((0, 0), (255, 0, 0, 255))
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(out, "PNG", exif=exif)
    got = browser.run("""
        import { readPicture } from "/runtime/kinds/picture.js";
        export const run = async (_, body) => {
          const { data, width, height } = (await readPicture(new Blob([body]), "t")).pixels();
          return { value: [width, height, [...data.slice(0, 6)]] };
        };
    """, body=out.getvalue()).value
    assert got == [2, 4, [255, 255, 255, 255, 0, 0]]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_an_output_becomes_the_picture_that_pillow_makes(browser: Browser, layout: str) -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(-1.3, 1.3, (1, 3, 5, 7)).astype(np.float32)
    if layout == "nhwc":
        values = np.ascontiguousarray(values.transpose(0, 2, 3, 1))
    output = {"layout": layout, "channels": "bgr", "range": [-1, 1]}
    got = browser.run("""
        import { toImageData } from "/runtime/kinds/picture/tensor.js";
        export const run = ({ shape, output }, body) =>
          ({ body: toImageData(new Float32Array(body), shape, output).data });
    """, {"shape": values.shape, "output": output}, values.tobytes()).body
    wanted = np.asarray(to_picture(values, options_of(
        "image-to-image", layout=layout, channels="bgr", range=(-1, 1))))
    np.testing.assert_array_equal(np.frombuffer(got, np.uint8).reshape(5, 7, 4)[..., :3], wanted)


def test_a_large_photo_is_reduced_before_its_pixels_are_read(browser: Browser) -> None:
    out = io.BytesIO()
    Image.new("L", (9000, 6000), 200).save(out, "PNG")
    got = browser.run("""
        import { readPicture } from "/runtime/kinds/picture.js";
        export const run = async (_, body) => {
          const { canvas } = await readPicture(new Blob([body]), "large");
          return { value: [canvas.width, canvas.height] };
        };
    """, body=out.getvalue()).value
    assert got[0] * got[1] <= 4.01e6 and got[0] / got[1] == pytest.approx(1.5, rel=1e-3)


def test_segmentation_reads_each_kind_of_output(browser: Browser) -> None:
    scores = np.zeros((1, 3, 2, 2), np.float32)
    scores[0, [1, 2, 0, 2], [0, 0, 1, 1], [0, 1, 0, 1]] = 1
    got = browser.run("""
        import { classMap } from "/runtime/tasks/segmentation.js";
        export const run = ({ scores }) => {
          const flat = scores.flat(9);
          const hwc = [0, 1, 2, 3].flatMap((i) => [0, 1, 2].map((c) => flat[c * 4 + i]));
          return { value: [
            classMap(flat, [1, 3, 2, 2], { kind: "logits", layout: "nchw" }),
            classMap(hwc, [1, 2, 2, 3], { kind: "logits", layout: "nhwc" }),
            classMap([1n, 2n, 0n, 2n], [1, 2, 2], { kind: "classes" }),
            classMap([1, 2, 0, 2], [1, 1, 2, 2], { kind: "classes" }),
            classMap([-1, 0, 0.4, 3], [1, 1, 2, 2], { kind: "logits", layout: "nchw" }),
            classMap([0.2, 0.5, 0.6, 1], [1, 2, 2, 1], { kind: "probabilities", layout: "nhwc" }),
          ].map(({ classes, width, height }) => [[...classes], width, height]) };
        };
    """, json.loads(json.dumps({"scores": scores.tolist()}))).value
    assert got == [[[1, 2, 0, 2], 2, 2]] * 4 + [[[0, 0, 1, 1], 2, 2]] * 2
