"""The site that `make site` builds: its own demos, in a browser, on each forced target."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnxpress.kinds.picture import encode
from PIL import Image
from support.page_server import Answer, PageServer
from support.paths import ROOT
from support.site_folder import run
from support.tab import Tab

TARGETS = ("wasm", "js", pytest.param("webgpu", marks=pytest.mark.large))
DEMO = "document.querySelector('onnx-demo')"
SECONDS = 240  # webgpu runs on a software adapter here

# What EfficientNet-Lite0's weights give in onnxruntime, as ImageNet's names of the classes.
CLASSES = {"Chelsea the cat": {"tabby", "tiger cat", "Egyptian cat"}, "Coffee": {"espresso"},
           "Cameraman": {"tripod"}, "Rocket": {"missile"}}


class Site(PageServer):
    def answer(self, path: str) -> Answer:
        return super().answer(f"{path}index.html" if path.endswith("/") else path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    done = run(ROOT, "mkdocs", "build", "--strict", "-d", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    with Site({"/repo/": folder}) as host:
        yield host


def manifest(site: Site, name: str) -> dict:
    path = site.files["/repo/"] / f"assets/onnxpress/demos/{name}.json"
    return json.loads(path.read_text("utf-8"))


def open_demo(site: Site, tab: Tab, name: str, target: str) -> None:
    tab.open(f"{site.url}/repo/{name}/?target={target}")
    tab.wait(f"!!{DEMO}?.shadowRoot?.querySelector('.foot:not([hidden])')")


def run_sample(tab: Tab, index: int, target: str) -> None:
    """Chooses the sample as a visitor does and waits for its result on `target`."""
    tab.js(f"void {DEMO}.addEventListener('result', () => globalThis.shown = {index},"
           "{ once: true })")
    if index == 0 and tab.js(f"{DEMO}.state") == "idle":
        tab.js(f"void {DEMO}.run()")
    else:
        tab.js(f"void {DEMO}.shadowRoot.querySelectorAll('.samples button')[{index}].click()")
    tab.wait(f"globalThis.shown === {index} || {DEMO}.state == 'failed'", SECONDS)
    assert tab.js(f"{DEMO}.state") != "failed", tab.js(f"{DEMO}.shadowRoot.textContent")
    assert tab.js(f"{DEMO}.model.target") == target


@pytest.mark.parametrize(("target", "photos"), [
    ("wasm", 4), ("js", 4), ("webgpu", 1), pytest.param("webgpu", 4, marks=pytest.mark.large)])
def test_efficientnet_names_the_photos(site: Site, tab: Tab, target: str, photos: int) -> None:
    open_demo(site, tab, "efficientnet-lite0", target)
    samples = manifest(site, "efficientnet-lite0")["demo"]["samples"]
    assert {s["title"] for s in samples} == set(CLASSES)
    for index, sample in enumerate(samples[:photos]):
        run_sample(tab, index, target)
        bars = tab.js(f"{DEMO}.shadowRoot.querySelector('.onnx-bars').innerText").split("\n")
        assert bars[0] in CLASSES[sample["title"]]
        assert bars[0] == sample["result"]["top"][0]["label"]


@pytest.mark.parametrize("target", TARGETS)
def test_resnet50_runs_and_says_what_its_weights_are(site: Site, tab: Tab, target: str) -> None:
    open_demo(site, tab, "resnet50", target)
    run_sample(tab, 0, target)
    text = tab.js("document.body.innerText") + tab.js(f"{DEMO}.shadowRoot.textContent")
    untrained = "weightsNote" in manifest(site, "resnet50")["demo"]
    assert ("weights are untrained" in text) == untrained


@pytest.mark.parametrize("target", TARGETS)
def test_a_photo_is_painted_as_at_the_build(site: Site, tab: Tab, target: str) -> None:
    open_demo(site, tab, "style-transfer", target)
    run_sample(tab, 0, target)
    sample = manifest(site, "style-transfer")["demo"]["samples"][0]
    drawn = tab.js(f"""(async () => {{
      const canvas = {DEMO}.shadowRoot.querySelector('.after canvas');
      const bytes = new Uint8Array(
        await (await new Promise((done) => canvas.toBlob(done, "image/png"))).arrayBuffer());
      return {{ size: [canvas.width, canvas.height], bytes: Array.from(bytes) }};
    }})()""")
    # The poster is a lossy file of onnxruntime's picture; what was drawn here becomes one too.
    with Image.open(io.BytesIO(bytes(drawn["bytes"]))) as got:
        painted = pixels(io.BytesIO(encode(got.convert("RGB"))))
    folder = site.files["/repo/"] / "assets/onnxpress/demos"
    error = painted - pixels(folder / sample["result"]["image"])
    assert np.sqrt((error**2).mean()) < 0.02 * 255


def pixels(file: Path | io.BytesIO) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"), np.float64)
