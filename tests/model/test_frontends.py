"""Models of other frameworks: what a pack computes is what the framework itself computes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto
from onnxpress.compiler import Options, press
from onnxpress.errors import ModelError
from onnxpress.files import read_file
from onnxpress.manifest.pack import Pack
from onnxpress.model.frontends.recipe import run_recipe
from onnxpress.model.source import load_card_model, load_model
from onnxpress.proof.verify import QUANTIZED_L2, TOLERANCE
from onnxpress.proof.yardstick import Reference
from onnxpress.run.browser import Browser
from onnxpress.run.wasmtime import WasmProgram
from onnxpress.spec import Card, Source
from onnxpress.weights.shards import read_weights
from support.packs import run_pack
from support.paths import DATA, RECIPES

os.environ.setdefault("KERAS_BACKEND", "torch")
NETS = DATA / "frontends"
RESNET50 = RECIPES / "resnet50.py"
INPUT = {"x": (1, 3, 32, 32)}
IMAGE = {"image": (1, 32, 32, 3)}


def needs(*packages: str) -> Any:
    missing = [name for name in packages if not find_spec(name)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}; "
                              "see the extras frontends and tflite")


torch_only = needs("torch", "onnxscript")
keras_only = needs("torch", "onnxscript", "keras")
tflite_only = needs("tensorflow", "tf2onnx")


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).random(shape, np.float32)


def on_wasmtime(pack: Pack, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    about = pack.manifest.targets.wasm
    code = read_file(about.files["simd128"], pack.folder)
    weights = read_weights(pack.manifest.weights, pack.folder)
    return WasmProgram(code, about, weights).run(
        list(feeds.values()))


def agree(got: np.ndarray, want: np.ndarray) -> None:
    """Within what a proof allows two f32 implementations to differ."""
    assert np.abs(got - want.ravel()).max() <= TOLERANCE * np.abs(want).max()


def torch_result(feed: np.ndarray) -> np.ndarray:
    import torch
    from data.frontends import torch_nets

    with torch.no_grad():
        return torch_nets.build().eval()(torch.from_numpy(feed)).numpy()


def keras_result(feed: np.ndarray) -> np.ndarray:
    from data.frontends import keras_nets

    return keras_nets.build().predict(feed, verbose=0)


@dataclass(frozen=True)
class Net:
    """A net of `file`; `result` is its own framework's."""

    file: str
    shapes: dict[str, tuple[int, ...]]
    result: Callable[[np.ndarray], np.ndarray]

    def export(self, folder: Path) -> ModelProto:
        return load_model(folder / self.file, self.shapes)


@pytest.fixture(scope="module", params=[
    pytest.param(Net("torch_nets.py", INPUT, torch_result), marks=torch_only, id="torch"),
    pytest.param(Net("keras_nets.py", IMAGE, keras_result), marks=keras_only, id="keras"),
])
def net(request: pytest.FixtureRequest) -> tuple[Net, ModelProto]:
    return request.param, request.param.export(NETS)


def test_a_pack_computes_what_its_framework_does(
        net: tuple[Net, ModelProto], browser: Browser, tmp_path: Path) -> None:
    about, model = net
    pack = press(model, tmp_path / "pack", Options(shapes=about.shapes))
    assert [port.name for port in pack.manifest.inputs] == list(about.shapes)
    feeds = {name: numbers(shape) for name, shape in about.shapes.items()}
    want = about.result(*feeds.values())
    agree(on_wasmtime(pack, feeds)[0], want)
    agree(run_pack(browser, pack.folder / "manifest.json", "wasm", feeds)[0], want)


def test_equal_recipes_give_equal_bytes_from_any_folder(
        net: tuple[Net, ModelProto], tmp_path: Path) -> None:
    about, here = net
    shutil.copytree(NETS, tmp_path / "elsewhere")
    content = about.export(tmp_path / "elsewhere").SerializeToString()
    assert content == here.SerializeToString()
    assert str(tmp_path).encode() not in content


def exported(file: str, function: str, shapes: dict) -> ModelProto:
    return run_recipe(NETS / file, {}, function, shapes)


@torch_only
def test_inputs_are_named_after_forward() -> None:
    model = exported("torch_nets.py", "scale", {"by": (1,), "image": (1, 3, 4, 4)})
    assert [port.name for port in model.graph.input] == ["image", "by"]
    assert exported("torch_nets.py", "with_examples", {}) == exported("torch_nets.py", "build",
                                                                      INPUT)


@torch_only
@pytest.mark.parametrize("function, shapes, sentence", [
    ("build", {}, "the shape of the input x is missing; write it, for example shapes: {x: "),
    ("scale", {"by": (1,), "imge": (1,)}, r"the input image is missing \(there are: by, imge\)"),
    ("branches", INPUT, "PyTorch cannot export this model to ONNX: Could not guard on data-"),
    ("wrong_shape", INPUT, "PyTorch cannot export .*: shape '.7.' is invalid for input of size"),
    ("singular_values", INPUT, "PyTorch cannot export .*: No ONNX function found for .*svd"),
])
def test_torch_failures_are_sentences(function: str, shapes: dict, sentence: str,
                                      capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(ModelError, match=sentence) as caught:
        exported("torch_nets.py", function, shapes)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"torch_nets.py:{function}: ")
    assert capfd.readouterr() == ("", "")


@torch_only
def test_without_onnxscript_the_sentence_says_what_to_install(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxscript.py").write_text('raise ModuleNotFoundError(name="onnxscript")')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"torch_nets\.py:scale returned a torch\.nn\.Module; "
                       "exporting it needs the Python package onnxscript: pip install onnxscript"):
        load_model(NETS / "torch_nets.py:scale", {"by": (1,), "image": (1, 3, 4, 4)})


@torch_only
def test_resnet50_takes_a_state_dict_from_safetensors(tmp_path: Path) -> None:
    import torch
    from data.frontends.torch_resnet import ResNet50
    from safetensors.torch import save_file

    torch.manual_seed(0)
    net = ResNet50().eval()
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    source = Source("card:1", python=RESNET50, arguments={"version": "v1.5"},
                    weights=Source("card:2", file=tmp_path / "net.safetensors"))
    model = load_card_model(Card("r", "R", (source,)), tmp_path, {}).model
    picture = numbers((1, 3, 224, 224))
    with torch.no_grad():
        want = net(torch.from_numpy(picture)).numpy()
    agree(Reference(model.SerializeToString()).run({"data": picture})[0].ravel(), want)


@keras_only
@pytest.mark.parametrize("function, shapes, inputs", [
    ("two_inputs", {}, ["a", "b"]), ("sequential", IMAGE, ["image"]),
    ("Subclassed", IMAGE, ["image"]),
])
def test_keras_models_of_every_kind(function: str, shapes: dict, inputs: list[str]) -> None:
    model = exported("keras_nets.py", function, shapes)
    assert [port.name for port in model.graph.input] == inputs
    Reference(model.SerializeToString())


@keras_only
def test_keras_sizes_come_from_the_spec() -> None:
    any_size = {"height": None, "width": None}
    with pytest.raises(ModelError, match=r"the input image has the shape \(None, None, None, 3\)"):
        run_recipe(NETS / "keras_nets.py", any_size)
    with pytest.raises(ModelError, match="the model has not seen an input yet; write its shape"):
        exported("keras_nets.py", "sequential", {})
    model = run_recipe(NETS / "keras_nets.py", any_size, shapes={"image": (1, 20, 24, 3)})
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in dims] == [1, 20, 24, 3]


@pytest.fixture(scope="module")
def tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tflite")
    subprocess.run([sys.executable, NETS / "make_tflite.py", folder], check=True,
                   capture_output=True)
    return folder


@tflite_only
@pytest.mark.parametrize("name", ["float", "int8"])
def test_a_tflite_file_computes_what_tensorflow_does(name: str, tflite: Path) -> None:
    model = load_model(tflite / f"{name}.tflite", {})
    assert model == load_model(tflite / f"{name}.tflite", {}), "the same bytes each time"
    image, want = np.load(tflite / "image.npy"), np.load(tflite / f"{name}.npy")
    pack = press(model, tflite / name, Options())
    assert [tuple(port.shape) for port in pack.manifest.inputs] == [image.shape]
    got = on_wasmtime(pack, {"image": image})[0]
    if name == "float":
        agree(got, want)
    else:
        assert np.linalg.norm(got - want.ravel()) <= QUANTIZED_L2 * np.linalg.norm(want)


@tflite_only
def test_a_broken_tflite_file_is_refused_in_one_sentence(tflite: Path) -> None:
    content = (tflite / "float.tflite").read_bytes()
    (tflite / "cut.tflite").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"cut\.tflite: tf2onnx cannot convert this TFLite file: "):
        load_model(tflite / "cut.tflite", {})


@pytest.mark.skipif(bool(find_spec("tf2onnx")), reason="tf2onnx is installed")
def test_without_a_converter_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    with pytest.raises(ModelError, match=r"net\.tflite: this is a TFLite file; reading it needs "
                       "the Python packages tensorflow and tf2onnx: pip install .*tf2onnx"):
        load_model(tmp_path / "net.tflite", {})
