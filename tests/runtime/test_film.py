"""The camera through a model on WebGPU: the picture, nothing read back, and every way to an end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx.parser
import pytest
from onnxpress.compiler import Options, press
from onnxpress.runtime import RUNTIME
from support.chromium import PAINTING
from support.page_server import PageServer
from support.paths import PAGES
from support.tab import Tab

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
DEMO = "document.querySelector('onnx-demo')"
ROOT = f"{DEMO}.shadowRoot"
SIDE = 24

PORTS = {"nchw": f"1,3,{SIDE},{SIDE}", "nhwc": f"1,{SIDE},{SIDE},3", "grey": f"1,1,{SIDE},{SIDE}"}

# s * x + (1 - s) * (1 - x)
NET = """<ir_version: 9, opset_import: ["" : 17]>
net (float[PORT] x, float[1] s) => (float[PORT] y) <float one = {1.0}> {
  flipped = Sub(one, x)
  rest = Sub(one, s)
  a = Mul(s, x)
  b = Mul(rest, flipped)
  y = Add(a, b)
}"""

# In the worker: tells the page what is drawn, uploaded and read back, and loses the device.
WATCH = b"""
const news = new BroadcastChannel("news");
const devices = [];
news.onmessage = () => devices.forEach((device) => device.destroy());
for (const [kind, name] of [[GPUBuffer, "mapAsync"], [GPUQueue, "writeBuffer"],
  [GPUQueue, "copyExternalImageToTexture"], [GPUAdapter, "requestDevice"]]) {
  const call = kind.prototype[name];
  kind.prototype[name] = function (...args) {
    news.postMessage(name);
    const answer = call.apply(this, args);
    if (name === "requestDevice") answer.then((device) => devices.push(device));
    return answer;
  };
}
"""

# On the page: counts what the worker tells, and keeps the camera's stream.
COUNT = """
globalThis.counts = { mapAsync: 0, writeBuffer: 0, copyExternalImageToTexture: 0 };
globalThis.news = new BroadcastChannel("news");
news.onmessage = ({ data }) => counts[data]++;
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => (globalThis.stream = await ask(wanted));
"""

STRENGTH = {"kind": "slider", "input": "s", "label": "Strength", "min": 0, "max": 1, "value": 0.25}


def demo(layout: str = "nchw", channels: str = "rgb", **image: Any) -> dict[str, Any]:
    return {
        "title": "Negative", "samples": [], "controls": [STRENGTH],
        "task": {"name": "image-to-image", "output": "y", "layout": layout, "channels": channels,
                 "range": [0, 1]},
        "given": {"kind": "picture", "input": "x", "size": [SIDE, SIDE], "resize": "cover",
                  "layout": layout, "channels": channels, **image},
    }


def pack(name: str, folder: Path) -> dict[str, bytes]:
    """The site's files of one net, with its demo."""
    press(onnx.parser.parse_model(NET.replace("PORT", PORTS[name])), folder,
          Options(name="net", targets=("webgpu", "js")))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "demo": demo()}))
    return {f"/{name}/{path.name}": path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def camera(chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser with a camera, on a server that has the nets."""
    files: dict[str, bytes | Path] = {"/rt/": RUNTIME, "/pages/": PAGES}
    for name in PORTS:
        files |= pack(name, tmp_path_factory.mktemp(name))
    files["/rt/worker.js"] = (RUNTIME / "worker.js").read_bytes() + WATCH
    files |= {k.replace("/nchw/", "/tiny/"): v for k, v in files.items() if "/nchw/" in k}
    files = dict(sorted(files.items(), reverse=True))  # files before their folders
    with PageServer(files) as host, Tab(flags=(*CAMERA, *PAINTING)) as tab:
        tab.host = host
        yield tab


# --- The picture ---

IMAGES = {
    "plain": ("nchw", {}),
    "bgr-mean-std": ("nchw", {"channels": "bgr", "mean": [0.1, 0.2, 0.3], "std": [0.5, 1, 2]}),
    "nhwc-scale": ("nhwc", {"layout": "nhwc", "scale": 1 / 510, "mean": [-0.25]}),
    "grey": ("grey", {"channels": "gray"}),
}


def compare(tab: Tab, name: str, about: dict[str, Any], width: int, height: int,
            wrap: str = "bitmap") -> int:
    """The largest difference in levels; the picture must have what could differ."""
    tab.open(f"{tab.host.url}/pages/plain.html")
    found = tab.js(f"""import("/pages/compare_frames.js").then(({{ compare }}) =>
      compare("{name}", {json.dumps(about)}, {width}, {height}, "{wrap}"))""")
    assert found["levels"] > 20 and found["length"] == 4 * SIDE * SIDE
    return found["largest"]


@pytest.mark.parametrize("wrap", ["bitmap", "frame", "texture"])
@pytest.mark.parametrize(("name", "image"), IMAGES.values(), ids=IMAGES)
def test_a_frame_of_the_model_s_size_is_the_same_picture(
        camera: Tab, name: str, image: dict[str, Any], wrap: str) -> None:
    """Both ways compute the same f32 values but for the last bits, and run()'s luma is rounded to
    a level, of which the model's slope of 1/2 leaves a quarter: either can tip one rounding."""
    assert compare(camera, name, demo(**image), SIDE, SIDE, wrap) <= 1


@pytest.mark.parametrize(("width", "height"), [(100, 64), (17, 40)])
@pytest.mark.parametrize("resize", ["cover", "contain", "stretch", {"shorter": 30}], ids=str)
@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
def test_a_scaled_frame_differs_by_a_rounding(
        camera: Tab, filter: str, resize: Any, width: int, height: int) -> None:
    """run()'s picture is rounded to levels after columns and after rows, by half a level each, of
    which the cubic's negative lobes make at most 1.25 * 0.5 + 0.5; the model's slope of 1/2 halves
    that, and less than a level can tip one rounding."""
    about = demo(resize=resize, pad=99, filter=filter)
    assert compare(camera, "nchw", about, width, height) <= 1


# --- The demo ---

FRAMES = "counts.copyExternalImageToTexture"
BUTTON = f"{ROOT}.querySelector('[part=camera]')"


def visit(tab: Tab, target: str = "webgpu") -> None:
    tab.open(f"{tab.host.url}/pages/demo.html?target={target}")
    tab.wait(f"!!{ROOT}?.querySelector('.foot:not([hidden])')")
    tab.js(COUNT)


def start(tab: Tab, frames: int = 3) -> None:
    visit(tab)
    tab.js(f"{BUTTON}.click()")
    tab.wait(f"{DEMO}.state == 'live' && {FRAMES} >= {frames}")


def off(tab: Tab) -> bool:
    """Whether the camera is released, and nothing went wrong unseen."""
    assert not tab.logs, tab.logs
    tab.wait("stream.getTracks().every((track) => track.readyState == 'ended')")
    return tab.js(f"{BUTTON}.textContent == 'Use the camera'")


def sentence(tab: Tab) -> str:
    assert tab.js(f"{ROOT}.querySelector('.fault').checkVisibility()")
    return tab.js(f"{ROOT}.querySelector('.fault').innerText")


def typical_error(tab: Tab, strength: float) -> float:
    """The median over the shown pixels of |after - what the net makes of before|, in levels."""
    return tab.js(f"""(() => {{
      const [before, after] = [".before", ".after canvas"].map((name) => {{
        const copy = new OffscreenCanvas({SIDE}, {SIDE}).getContext("2d");
        copy.drawImage({ROOT}.querySelector(name), 0, 0);
        return copy.getImageData(0, 0, {SIDE}, {SIDE}).data;
      }});
      const s = {strength};
      const apart = [...before].filter((_, i) => i % 4 < 3).map((x, i) => Math.abs(
        s * x + (1 - s) * (255 - x) - after[i + Math.floor(i / 3)]));
      return apart.sort((a, b) => a - b)[apart.length >> 1];
    }})()""")


def test_the_camera_is_painted_and_nothing_is_read_back(camera: Tab) -> None:
    """Most of the camera's picture stands still. Browsers convert video to RGB in several ways,
    each rounding once or twice."""
    start(camera)
    reads, uploads, frames = camera.js(f"[counts.mapAsync, counts.writeBuffer, {FRAMES}]")
    assert reads == 1  # of the check when the model was opened
    camera.wait(f"{FRAMES} >= {frames + 10}")
    assert camera.js("[counts.mapAsync, counts.writeBuffer]") == [reads, uploads]
    camera.wait(f"{ROOT}.querySelector('.facts').innerText.endsWith(' frames per second')")
    assert typical_error(camera, 0.25) <= 2
    assert camera.js(f"{BUTTON}.textContent") == "Stop the camera"
    camera.js(f"{BUTTON}.click()")
    camera.wait(f"{DEMO}.state == 'done'")
    assert off(camera)
    assert typical_error(camera, 0.25) <= 2


def test_a_control_is_uploaded_when_it_moves(camera: Tab) -> None:
    start(camera)
    uploads = camera.js("counts.writeBuffer")
    camera.js(f"""(() => {{
      const slider = {ROOT}.querySelector(".side input");
      slider.value = 1;
      slider.dispatchEvent(new Event("input"));
    }})()""")
    camera.wait(f"counts.writeBuffer == {uploads + 1}")
    frames = camera.js(FRAMES)
    camera.wait(f"{FRAMES} >= {frames + 5}")
    assert camera.js("counts.writeBuffer") == uploads + 1
    assert typical_error(camera, 1) <= 2
    assert camera.js(f"{DEMO}.state") == "live"


def test_the_saved_picture_is_what_one_sees(camera: Tab) -> None:
    start(camera)
    saved = camera.js(f"""(() => {{
      const link = {ROOT}.querySelector("a[download]");
      link.addEventListener("click", (event) => event.preventDefault());
      link.click();
      return link.href;
    }})()""")
    assert saved.startswith("data:image/png;base64,") and len(saved) > 100


HIDE = """(() => {
  Object.defineProperty(document, "hidden", { value: true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
})()"""


def test_a_hidden_page_ends_it(camera: Tab) -> None:
    start(camera)
    camera.js(HIDE)
    camera.wait(f"{DEMO}.state == 'done'")
    assert off(camera)


def test_a_removed_demo_ends_it(camera: Tab) -> None:
    start(camera)
    camera.js(f"globalThis.gone = {DEMO}; gone.remove()")
    camera.wait("stream.getTracks().every((track) => track.readyState == 'ended')")
    assert camera.js("gone.state") == "idle"
    camera.js("document.querySelector('main').append(gone)")
    camera.js(f"{BUTTON}.click()")
    frames = camera.js(FRAMES)
    camera.wait(f"{DEMO}.state == 'live' && {FRAMES} > {frames + 2}")
    assert not camera.logs


def test_a_picture_takes_over(camera: Tab) -> None:
    start(camera)
    camera.js(f"""(async () => {{
      const data = new DataTransfer();
      const canvas = new OffscreenCanvas(30, 30);
      canvas.getContext("2d").fillRect(0, 0, 30, 30);
      data.items.add(new File([await canvas.convertToBlob()], "black.png"));
      {DEMO}.dispatchEvent(new DragEvent("drop", {{ dataTransfer: data, bubbles: true }}));
    }})()""")
    camera.wait(f"{DEMO}.state == 'done'")
    assert off(camera)
    assert typical_error(camera, 0.25) <= 1


def test_a_lost_device_is_one_sentence_and_the_next_start_works(camera: Tab) -> None:
    start(camera)
    camera.js("news.postMessage('lose')")
    camera.wait(f"{DEMO}.state == 'failed'")
    assert off(camera)
    assert sentence(camera) == ("The camera's picture has stopped: the GPU stopped (Device was "
                                "destroyed.). Start the camera again.")
    frames = camera.js(FRAMES)
    camera.js(f"{BUTTON}.click()")
    camera.wait(f"{DEMO}.state == 'live' && {FRAMES} > {frames + 2}")
    assert typical_error(camera, 0.25) <= 2


def test_an_unplugged_camera_is_one_sentence(camera: Tab) -> None:
    start(camera)
    camera.js("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    camera.wait(f"{DEMO}.state == 'failed'")
    assert off(camera)
    assert sentence(camera).startswith("The camera has been switched off or unplugged.")


@pytest.mark.parametrize(("name", "words"), [
    ("NotAllowedError", "This page may not use the camera. Allow it beside the page's address"),
    ("NotFoundError", "The browser finds no camera."),
    ("NotReadableError", "The camera is in use elsewhere."),
    ("AbortError", "The camera does not start: no light."),
])
def test_a_refused_camera_is_one_sentence(camera: Tab, name: str, words: str) -> None:
    visit(camera)
    camera.js(f"""navigator.mediaDevices.getUserMedia =
      async () => {{ throw new DOMException("no light", "{name}"); }}""")
    camera.js(f"{BUTTON}.click()")
    camera.wait(f"{DEMO}.state == 'failed'")
    assert sentence(camera).startswith(words)
    assert "Try again" not in sentence(camera)
    assert camera.js(FRAMES) == 0


def test_without_webgpu_it_takes_one_picture(camera: Tab) -> None:
    visit(camera, "js")
    camera.js(f"{BUTTON}.click()")
    camera.wait(f"{DEMO}.state == 'done'")
    assert off(camera)
    assert camera.js(f"[{DEMO}.model.target, {FRAMES}]") == ["js", 0]
    assert typical_error(camera, 0.25) <= 1


def test_with_reduced_motion_it_is_a_picture_a_second(camera: Tab) -> None:
    camera.media(prefers_reduced_motion="reduce")
    try:
        visit(camera)
        camera.js(f"globalThis.since = performance.now(); {BUTTON}.click()")
        camera.wait(f"{FRAMES} >= 3")
        assert camera.js(f"performance.now() - since >= 1000 * ({FRAMES} - 1)")
    finally:
        camera.media()
