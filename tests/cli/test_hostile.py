"""Models of strangers: a pack or one sentence, never a traceback. Each model once showed a fault of
a kind of its own."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper
from onnxpress.cli import main
from onnxpress.compiler import Options, press
from onnxpress.errors import LONGEST, FaultError
from support.onnx_models import floats, model, node

INT16, INT32, UINT8 = TensorProto.INT16, TensorProto.INT32, TensorProto.UINT8
X = {"x": (1, 4)}
IMAGE = {"x": (1, 3, 8, 8)}
COMPILED = ""  # in place of a sentence


def typed(net: ModelProto, element: int) -> ModelProto:
    """`net` whose output is declared with this type of elements."""
    net.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", element, None))
    return net


def named(name: str) -> ModelProto:
    net = model([node("Nope", "x")], X)
    net.graph.node[0].name = name
    return net


def twice(field: str) -> ModelProto:
    net = model([node("Relu", "x")], X)
    ports = getattr(net.graph, field)
    ports.append(ports[0])
    return net


def endless() -> ModelProto:
    """A function that calls itself."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("my", 1)]
    call = helper.make_node("F", ["a"], ["b"], domain="my")
    net = model([helper.make_node("F", ["x"], ["y"], domain="my")], X)
    net.functions.append(helper.make_function("my", "F", ["a"], ["b"], [call], opsets))
    net.opset_import.add(domain="my", version=1)
    return net


def foreign() -> ModelProto:
    """An operator of an unknown domain, beside one that ONNX defines by others."""
    return model([node("Celu", "x", "h"), helper.make_node("Far", ["h"], ["y"], domain="far")], X)


def between(op: str, element: int) -> ModelProto:
    """y = op(x, z) of integers."""
    return typed(model([node(op, "x z")], {"x": (4,), "z": (4,)},
                       types={"x": element, "z": element}), element)


def quantized(inputs: str, **shapes: Sequence[int]) -> ModelProto:
    weights = {"s": np.float32(0.1), "z": np.uint8(3)}
    for name in shapes:
        weights.pop(name, None)
    return model([node("QuantizeLinear", inputs, "q"), node("DequantizeLinear", "q s z")], shapes,
                 weights=weights)


def strided(op: str) -> ModelProto:
    weights = {"w": np.ones((1, 3, 1, 1), np.float32)} if op == "Conv" else {}
    window: dict[str, Any] = {"strides": [2**31, 2]} | (
        {"kernel_shape": [1, 1]} if op == "MaxPool" else {})
    return model([node(op, " ".join(["x", *weights]), **window)], IMAGE, weights=weights)


# What stands in the model -> (the model, a part of the sentence).
HOSTILE: dict[str, tuple[Callable[[], ModelProto], str]] = {
    "another type is declared": (lambda: typed(model([node("Relu", "x")], X), INT32), "?"),
    "a type that onnxruntime lacks": (lambda: between("Min", INT16), "?"),
    "division by integers": (lambda: between("Div", INT32), "?"),
    "remainder by integers": (lambda: between("Mod", INT32), "?"),
    "an output twice": (lambda: twice("output"), 'two outputs of the model are named "y"'),
    "an input twice": (lambda: twice("input"), 'two inputs of the model are named "x"'),
    "a scale that is an input": (lambda: quantized("x s z", x=(6,), s=()), "?"),
    "a scalar that is quantized": (lambda: quantized("x s z", x=()), "?"),
    "two samples without weights": (
        lambda: model([node("Relu", "x", "r"), node("ReduceMax", "r", axes=[1])],
                      {"x": (2, 800_000)}), COMPILED),
    "a far stride of a pool": (lambda: strided("MaxPool"), COMPILED),
    "a far stride of a convolution": (lambda: strided("Conv"), COMPILED),
    "a function that calls itself": (endless, 'the function "F" calls itself'),
    "an operator of a far domain": (foreign, 'operators of the domain "far" are not supported'),
    "no number": (lambda: model([node("Add", "x w")], X, weights={"w": floats(4) * np.nan}), "?"),
    "infinite masks": (lambda: model([node("Add", "x w")], X, weights={
        "w": np.array([0, 0, -np.inf, -np.inf], np.float32)}), "?"),
    "rank 64": (lambda: model([node("Relu", "x")], {"x": (1,) * 64}), "?"),
    "2^62 elements": (lambda: model([node("Relu", "x")], {"x": (2**31, 2**31)}),
                      "more than a page can address"),
    "a line break in a name": (lambda: named("n\n::error file=x,line=1::pwned\n::add-mask::a"),
                               "holds a line break or another control character"),
    "an escape in a name": (lambda: named("n\x1b[2J\x1b]0;owned\x07"),
                            "holds a line break or another control character"),
    "a colon in a name": (lambda: named("::error::pwned"), 'Nope node ": :error: :pwned"'),
    "a name of a million letters": (lambda: named("n" * 1_000_000), "Nope node"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_is_compiled_or_refused_in_a_sentence(
        name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """"?" stands for either: whether such a model can be proven is told elsewhere."""
    make, wanted = HOSTILE[name]
    (tmp_path / "m.onnx").write_bytes(make().SerializeToString())
    status = main(("compile", str(tmp_path / "m.onnx"), "--out", str(tmp_path / "out"),
                   "--targets", "wasm,js", "--no-simplify"))
    lines = [line for line in capsys.readouterr().err.splitlines()
             if line.startswith("onnxpress: ")]
    assert status in ((0, 1) if wanted == "?" else (0,) if wanted == COMPILED else (1,)), lines
    if status:
        [said] = lines
        assert wanted == "?" or wanted in said
        check_sentence(said.removeprefix("onnxpress: "))
    assert bool(status) != (tmp_path / "out/manifest.json").is_file()


def check_sentence(said: str) -> None:
    assert 0 < len(said) <= LONGEST
    assert said.isprintable() and "::" not in said
    assert "unexpected" not in said


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("division\nby zero")


def test_an_unexpected_exception_names_the_node(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other exception is a fault of onnxpress, and is told as such."""
    monkeypatch.setattr("onnxpress.programs.js.linear_kernel", broken)
    with pytest.raises(FaultError, match=r'pointwise "y" in JavaScript: unexpected '
                       r"ZeroDivisionError \(test_hostile\.py:.*please report it"):
        press(model([node("Relu", "x")], X), tmp_path, Options(simplify=False))


def test_an_unexpected_exception_of_a_command_is_a_sentence(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("onnxpress.cli.compile.open_display", broken)
    compiled = ("compile", str(tmp_path / "m.onnx"), "--out", str(tmp_path))
    assert main(compiled) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("onnxpress: unexpected ZeroDivisionError (test_hostile.py:")
    monkeypatch.setenv("ONNXPRESS_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(compiled)


@pytest.mark.parametrize("arguments", [
    ("compile", "FOLDER", "--out", "out"), ("compile", "none.onnx", "--out", "out"),
    ("build", "FOLDER", "--out", "out"), ("build", "none.yml", "--out", "out"),
    ("compile", "net.onnx", "--out", "FILE/out"), ("verify", "FILE"), ("verify", "FOLDER"),
    ("explain", "none.yml"), ("export", "none.yml", "--html", "page.html"), ("dedupe", "FILE"),
    ("compile", "net.onnx", "--out", "out", "--sample", "FOLDER"),
], ids=" ".join)
def test_folders_in_place_of_files_are_told(
        arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("FOLDER")  # noqa: PTH102
    Path("FILE").touch()
    Path("net.onnx").write_bytes(model([node("Relu", "x")], X).SerializeToString())
    status = main((*arguments, *(("--no-simplify",) if "net.onnx" in arguments else ())))
    said = capsys.readouterr().err.splitlines()[-1]
    assert status == 1 and said.startswith("onnxpress: ")
    check_sentence(said.removeprefix("onnxpress: "))
