"""Large pictures are decoded and scaled in a worker; where none can, the page does it."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnxpress.kinds.picture import Preprocessing, fit, open_picture
from PIL import Image
from support.browsers import NAMES, open_browser
from support.firefox import Firefox
from support.page_server import PageServer
from support.tab import Tab

# Reads /picture and scales it. `jobs`: what the worker was asked for; `painted`: the pixels that
# the page's own thread took from canvases.
READ = """(async (lack) => {
  const { readPicture } = await import("/rt/kinds/picture.js");
  const jobs = [];
  let painted = 0;
  const { postMessage } = Worker.prototype;
  const { getImageData } = CanvasRenderingContext2D.prototype;
  Worker.prototype.postMessage = function (data, ...more) {
    jobs.push(data.job);
    return postMessage.call(this, data, ...more);
  };
  CanvasRenderingContext2D.prototype.getImageData = function (x, y, width, height) {
    painted += width * height;
    return getImageData.call(this, x, y, width, height);
  };
  const { Worker: Real } = globalThis;
  if (lack === "refused") globalThis.Worker = class { constructor() { throw new Error(lack); } };
  if (lack === "missing") globalThis.Worker = class extends Real {
    constructor() { super("/nowhere.js", { type: "module" }); }
  };
  try {
    const response = await fetch("/picture");
    const picture = await readPicture(await response.blob(), "large");
    const image = { size: [40, 56], resize: "cover", filter: "bicubic", layout: "nchw" };
    const { data } = await picture.see(image);
    const { width, height } = picture.canvas;
    return { size: [width, height], jobs, painted, seen: btoa(String.fromCharCode(...data)) };
  } finally {
    Worker.prototype.postMessage = postMessage;
    CanvasRenderingContext2D.prototype.getImageData = getImageData;
    globalThis.Worker = Real;
  }
})(%s)"""


@pytest.fixture(scope="module", params=NAMES)
def visitor(request: pytest.FixtureRequest) -> Iterator[Tab | Firefox]:
    with open_browser(request.param) as browser:
        yield browser


def read(host: PageServer, visitor: Tab | Firefox, content: bytes, kind: str = "image/png",
         lack: str = "null") -> dict[str, Any]:
    host.files["/picture"] = content
    host.faults["/picture"] = [lambda answer: (200, kind, content)]
    visitor.open(host.url + "/pages/plain.html")
    return visitor.js(READ % lack)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def noise(width: int, height: int, channels: int) -> Image.Image:
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 256, (height, width, channels), np.uint8))


TURNED = Image.Exif()
TURNED[0x0112] = 6
NOISE = noise(1300, 900, 3)
ASIDE = ["decode", "fit"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_sixty_megapixels_leave_the_page_s_thread_alone(host: PageServer, visitor: Tab | Firefox,
                                                        kind: str) -> None:
    got = read(host, visitor, saved(Image.new("RGB", (10_000, 6000), (9, 99, 200)), kind))
    assert (got["jobs"], got["painted"]) == (ASIDE, 0)
    assert got["size"][0] * got["size"][1] <= 4.01e6
    seen = np.frombuffer(base64.b64decode(got["seen"]), np.uint8).reshape(-1, 3).astype(int)
    assert np.abs(seen - (9, 99, 200)).max() <= 1


@pytest.mark.parametrize("size", [(20_000, 4), (4, 20_000)])
def test_a_strip_is_scaled_within_the_window(host: PageServer, visitor: Tab | Firefox,
                                             size: tuple[int, int]) -> None:
    """All of it, scaled to cover the window, would be a million pixels long: 20 s of work."""
    content = saved(noise(*size, 3))
    got = read(host, visitor, content)
    assert got["painted"] == 80_000
    assert base64.b64decode(got["seen"]) == ours(content)


def ours(content: bytes) -> bytes:
    return fit(open_picture(content, "t"), Preprocessing(filter="bicubic"), (40, 56)).tobytes()


@pytest.mark.parametrize("lack", ['"refused"', '"missing"'])
def test_without_the_worker_the_page_does_the_same(host: PageServer, visitor: Tab | Firefox,
                                                   lack: str) -> None:
    got = read(host, visitor, saved(NOISE, exif=TURNED), lack=lack)
    assert (got["jobs"], got["painted"]) == ([], 1300 * 900)
    assert got["size"] == [900, 1300]
    assert base64.b64decode(got["seen"]) == ours(saved(NOISE, exif=TURNED))


@pytest.mark.parametrize("content", [
    saved(NOISE), saved(NOISE, exif=TURNED), saved(noise(1300, 900, 4)),
    saved(NOISE, "JPEG", exif=TURNED), saved(noise(1300, 900, 4), "WEBP", lossless=True),
], ids=["PNG", "turned PNG", "clear PNG", "turned JPEG", "clear WebP"])
def test_the_worker_sees_what_the_page_sees(host: PageServer, visitor: Tab | Firefox,
                                            content: bytes, request: pytest.FixtureRequest) -> None:
    aside = read(host, visitor, content)
    here = read(host, visitor, content, lack='"refused"')
    assert (aside["jobs"], aside["painted"], here["jobs"]) == (ASIDE, 0, [])
    assert aside["size"] == here["size"]
    seen, wanted = (np.frombuffer(base64.b64decode(got["seen"]), np.uint8).astype(int)
                    for got in (aside, here))
    # Blending of clear WebPs rounds in another order on Chromium's page: 1 level before scaling,
    # whose bicubic weights have the sum 1.3 without signs in each direction.
    assert np.abs(seen - wanted).max() <= (2 if "clear WebP" in request.node.name else 0)


def test_what_the_worker_cannot_read_the_page_may(host: PageServer,
                                                  visitor: Tab | Firefox) -> None:
    svg = (b'<svg xmlns="http://www.w3.org/2000/svg" width="1600" height="1200">'
           b'<rect width="1600" height="1200" fill="#0a64c8"/></svg>')
    got = read(host, visitor, svg, "image/svg+xml")
    assert got["jobs"] == ["decode"]
    assert list(base64.b64decode(got["seen"])[:3]) == [10, 100, 200]
