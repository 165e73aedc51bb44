"""`onnxpress bench --frames`: pictures per second on WebGPU, from a <video> to a canvas, or under
Dawn from a texture to a texture."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import BrowserError, UnsupportedError
from ...kinds.picture import Layout, PictureInput
from ...manifest.demo import Demo
from ...manifest.manifest import Port
from ...manifest.pack import finish
from ...run.browser import Browser, find_chromium
from ...runtime import RUNTIME
from ...tasks.image_to_image import ImageToImage
from ..arguments import open_model
from ..output import say
from . import command as bench
from .dawn import run_in_dawn
from .report import write_json

# A canvas can show WebGPU's drawing only if Chromium draws the page through the same Vulkan.
FLAGS = ("--use-angle=vulkan",) if sys.platform == "linux" else ()

# Measures frames without a read-back, then the same frames by way of run().
MEASURE = """
import { PressError, load } from "/runtime/onnxpress.js";
import { drawFrames } from "/runtime/bench/frames.js";
import { goldenInputs } from "/runtime/model/golden.js";
import { fit, toImageData, toTensor } from "/runtime/kinds/picture/tensor.js";
const url = "/pack/manifest.json";

async function movingVideo(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  const paint = (now) => {
    context.fillStyle = `hsl(${(now / 20) % 360} 80% 50%)`;
    context.fillRect((now / 5) % width, (now / 7) % height, width / 4, height / 4);
    requestAnimationFrame(paint);
  };
  requestAnimationFrame(paint);
  const video = Object.assign(document.createElement("video"),
    { muted: true, srcObject: canvas.captureStream() });
  await video.play();
  return video;
}

async function onGpu(model, video, others, count) {
  const surface = document.body.appendChild(document.createElement("canvas"));
  await model.openFrames(surface.transferControlToOffscreen());
  return drawFrames(model, () => new VideoFrame(video), others, count);
}

async function byRun(model, video, others, { given, task }, count) {
  const { videoWidth: width, videoHeight: height } = video;
  const make = () => Object.assign(document.createElement("canvas"), { width, height });
  const source = make().getContext("2d", { willReadFrequently: true });
  const target = make().getContext("2d");
  const { shape } = model.outputs.find(({ name }) => name === task.output);
  const begin = performance.now();
  for (let i = 0; i < count; i++) {
    source.drawImage(video, 0, 0);
    const data = source.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 < 3);
    const seen = fit({ data, width, height }, given);
    const found = await model.run({ ...others, [given.input]: toTensor(seen, given) });
    target.putImageData(toImageData(found[task.output], shape, task), 0, 0);
  }
  return (1000 * count) / (performance.now() - begin);
}

export const run = async ({ count }) => {
  try {
    const model = await load(url, { target: "webgpu", worker: true });
    const { demo, golden } = await (await fetch(url)).json();
    const [height, width] = demo.given.size;
    const video = await movingVideo(width, height);
    const drawn = goldenInputs(golden, model.inputs);
    const others = Object.fromEntries(model.inputs.flatMap(({ name }, i) => (
      name === demo.given.input ? [] : [[name, Float32Array.from(drawn[i])]])));
    const live = await onGpu(model, video, others, count);
    const copied = await byRun(model, video, others, demo, count);
    const engine = `Chromium ${navigator.userAgent.match(/Chrome\\/(\\d+)/)[1]}`;
    return { value: { live, copied, engine, reason: model.reason } };
  } catch (error) {
    if (error instanceof PressError) return { value: { refusal: error.message } };
    throw error;
  }
};
"""


def run(options: argparse.Namespace) -> None:
    from ...compiler import Options, assemble

    dawn = options.engine == "dawn"
    if not dawn and not find_chromium():
        raise BrowserError("bench --frames needs Chromium: install it (Debian: apt install "
                           "chromium) or set CHROMIUM to the path of a Chrome or Edge")
    model, shapes = open_model(options)
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as folder:
        manifest = assemble(model, Path(folder), Options(
            name=options.model.stem, targets=("webgpu",), shapes=shapes,
            simplify=options.simplify))
        image, output = _image(manifest.inputs), _output(manifest.outputs)
        demo = Demo(title="", task=output, given=image)
        pack = finish(replace(manifest, demo=demo), Path(folder))
        facts = (run_in_dawn(pack.folder, f"--frames={options.frames}") if dawn
                 else _in_browser(pack.folder, options.frames))
    size = "x".join(map(str, image.size))
    if write_json({"model": options.model.name, "size": size, **facts}, options):
        return
    path = "a texture to a texture" if dawn else "a video to a canvas"
    copied = "" if dawn else f"; {facts['copied']:.1f} by way of run()"
    say(f"{facts['live']:.1f} frames per second at {size} from {path} on the GPU{copied}.")
    say(f"{facts['engine']}. {facts['reason']}")


def _image(inputs: Sequence[Port]) -> PictureInput:
    """The first picture among the inputs."""
    name, layout, size = _picture(inputs, "input")
    return PictureInput(kind="picture", input=name, size=size, resize="cover", layout=layout)


def _output(outputs: Sequence[Port]) -> ImageToImage:
    """The first picture among the outputs."""
    name, layout, _ = _picture(outputs, "output")
    return ImageToImage(name="image-to-image", output=name, channels="rgb", layout=layout,
                        range=(0, 1))


def _picture(ports: Sequence[Port], side: str) -> tuple[str, Layout, tuple[int, int]]:
    """(name, layout, (height, width)) of the first picture among the ports."""
    for port in ports:
        match port.shape:
            case (_, 3, height, width):
                return port.name, "nchw", (height, width)
            case (_, height, width, 3):
                return port.name, "nhwc", (height, width)
    raise UnsupportedError("bench --frames needs pictures of three channels; "
                           f"no {side} is one")


def _in_browser(folder: Path, count: int) -> dict[str, Any]:
    """Pictures per second: `live` from video to canvas on the GPU, `copied` by way of run()."""
    folders = {"/runtime/": RUNTIME, "/pack/": folder}
    with Browser(folders, bench.ISOLATED, (*bench.FLAGS, *FLAGS)) as browser:
        value = browser.run(MEASURE, {"count": count}, timeout=bench.PATIENCE).value
    if "refusal" in value:
        raise BrowserError(value["refusal"])
    return value
