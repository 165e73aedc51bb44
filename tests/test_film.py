"""The camera through a model on WebGPU: the picture, nothing read back, and every way to an end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx.parser
import pytest
from onnxpress.browser import find_chromium
from onnxpress.compiler import Options, press
from onnxpress.runtime_files import RUNTIME
from page_server import PageServer
from tab import Tab

pytestmark = pytest.mark.skipif(not find_chromium(), reason="no Chromium; see tests/chromium.py")

PAGES = Path(__file__).parent / "pages"
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
# WebGPU paints canvases only where the browser's own drawing is on a GPU, or on an emulated one.
GRAPHICS = ("--enable-features=Vulkan", "--use-vulkan=swiftshader", "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader")
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

STRENGTH = {"kind": "slider", "input": "s", "label": "Strength", "min": 0, "max": 1, "value": 0.25}



def demo(layout: str = "nchw", channels: str = "rgb", **image: Any) -> dict[str, Any]:
    return {
        "title": "Negative", "task": "image-to-image", "samples": [], "controls": [STRENGTH],
        "image": {"input": "x", "size": [SIDE, SIDE], "resize": "cover", "layout": layout,
                  "channels": channels, **image},
        "output": {"name": "y", "layout": layout, "channels": channels, "range": [0, 1]},
    }


def pack(name: str, folder: Path) -> dict[str, bytes]:
    """The site's files of one net, with its demo."""
    press(onnx.parser.parse_model(NET.replace("PORT", PORTS[name])), folder,
          Options(name="net", targets=("webgpu", "js")))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "demo": demo()}))
    return {f"/{name}/{path.name}": path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser with a camera, on a server that has the nets."""
    files: dict[str, bytes | Path] = {"/rt/": RUNTIME, "/pages/": PAGES}
    for name in PORTS:
        files |= pack(name, tmp_path_factory.mktemp(name))
    with PageServer(files) as host, Tab(flags=(*CAMERA, *GRAPHICS)) as tab:
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


@pytest.mark.parametrize("wrap", ["bitmap", "frame"])
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
