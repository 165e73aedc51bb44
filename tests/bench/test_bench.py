"""The command `bench`: every step is timed, where it is asked for; what it says where it cannot."""

import base64
import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnxpress.cli import main
from onnxpress.cli.bench import command as bench
from onnxpress.compiler import BUILDERS, Notes, lower
from onnxpress.emit.wasm.peak import FLOPS, peak_module
from onnxpress.runtime import RUNTIME
from support.chromium import SWIFTSHADER

NET = """<ir_version: 9, opset_import: ["" : 17]>
net (float[1,4,8,8] x, int64[1] axis) => (float[1,8] y) {
  a = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x, W)
  b = Relu(a)
  c = GlobalAveragePool(b)
  d = Flatten(c)
  e = Cast<to = 1>(axis)
  f = Add(d, e)
  y = Softmax(f)
}"""


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> onnx.ModelProto:
    """A classifier in net.onnx, in the current folder, with an input of whole numbers."""
    monkeypatch.chdir(tmp_path)
    model = onnx.parser.parse_model(NET)
    weights = np.random.default_rng(0).standard_normal((8, 4, 3, 3)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "W"))
    onnx.save(model, "net.onnx")
    return model


def steps(model: onnx.ModelProto, target: str) -> list[str]:
    about = BUILDERS[target](lower(model, {}, Notes())).about
    return [label for label, *_ in about.steps]


@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize(("target", "build"), [
    ("wasm", "relaxed"), ("js", "module"), ("webgpu", "integrated")])
def test_the_table_has_every_step(net: onnx.ModelProto, target: str, build: str,
                                  monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(bench, "FLAGS", SWIFTSHADER)
    assert main(("bench", "net.onnx", "--target", target, "--runs", "2")) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["step", "ms", "share", "GFLOP/s", "of", "peak", "MB", "GB/s"]
    labels = [*steps(net, target), "total"]
    assert [row[: len(label)] for row, label in zip(rows, labels, strict=False)] == labels
    assert rows[-3].startswith("Each step: the best of 2. A whole run: first ")
    assert rows[-2].startswith("Machine peak: ")
    assert rows[-1].startswith("Chromium ") and f", build {build}. " in rows[-1]
    assert ("the processor only emulates" in rows[-1]) == (target == "webgpu")


@pytest.mark.usefixtures("chromium")
def test_json_of_the_build_that_was_asked_for(net: onnx.ModelProto,
                                              capsys: pytest.CaptureFixture) -> None:
    assert main(("bench", "net.onnx", "--build", "simd128", "--runs", "3", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["target"], found["build"]) == ("net.onnx", "wasm", "simd128")
    assert [step["label"] for step in found["steps"]] == steps(net, "wasm")
    assert all(step["ms"] >= 0 and step["flops"] >= 0 for step in found["steps"])
    assert found["peak"]["gflops"] > 0 and "multiply, then add" in found["peak"]["what"]
    assert 0 <= found["run"]["min_ms"] <= found["run"]["median_ms"]
    assert found["run"]["count"] == 3


def test_without_chromium_wasm_runs_in_wasmtime(net: onnx.ModelProto,
                                                monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(bench, "find_chromium", lambda: None)
    assert main(("bench", "net.onnx", "--runs", "1", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["engine"], found["build"]) == ("wasmtime", "relaxed")
    assert found["reason"].startswith("No Chromium is on this machine")
    assert found["peak"]["gflops"] > 0
    assert [step["label"] for step in found["steps"]] == steps(net, "wasm")
    for target in ("js", "webgpu"):
        assert main(("bench", "net.onnx", "--target", target)) == 1
        error = capsys.readouterr().err
        assert f"bench --target {target} needs Chromium: install it" in error
        assert error.count("\n") == 1


def test_files_of_results(net: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch,
                          capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(bench, "find_chromium", lambda: None)
    assert main(("bench", "net.onnx", "--runs", "1", "--json", "out.json",
                 "--chart", "out.html")) == 0
    found, page = json.loads(Path("out.json").read_text()), Path("out.html").read_text()
    assert capsys.readouterr().out.startswith("step ")
    assert [step["label"] for step in found["steps"]] == steps(net, "wasm")
    rows = re.findall(r'<th scope="row">(.*?)</th><td class="bar">', page)
    assert [html.unescape(row) for row in rows] == steps(net, "wasm")
    assert not re.search(r"<script|<link|src=|https?://", page), "the page stands alone"


def test_bytes_are_inputs_weights_and_outputs(net: onnx.ModelProto) -> None:
    values = 4 * 8 * 8 + (8 * 4 * 3 * 3 + 8) + 8 * 8 * 8  # the weights have a bias
    for target in ("wasm", "js", "webgpu"):
        about = BUILDERS[target](lower(net, {}, Notes())).about
        assert [size for label, _, size in about.steps if "conv2d" in label] == [4 * values]
    halo = next(s for s in BUILDERS["wasm"](lower(net, {}, Notes())).about.steps
                if s[0].startswith("fill_halo"))
    assert halo[1] == 0 and halo[2] >= 4 * 4 * (10 * 10 - 8 * 8)


def test_the_page_s_peak_is_the_command_s() -> None:
    text = (RUNTIME / "bench/peak.js").read_text()
    for build in ("relaxed", "simd128"):
        literal = re.search(rf"{build}: (\"[^,]*\"),", text)[1]
        assert base64.b64decode("".join(re.findall(r'"(.*?)"', literal))) == peak_module(build)
    assert f"const FLOPS = {FLOPS};" in text


@pytest.mark.parametrize(("path", "sentence"), [
    ("none", "none: cannot be started: No such file or directory"),
    (shutil.which("false"), "ended with status 1; it should be a Chromium"),
])
def test_a_wrong_chromium_is_named(net: onnx.ModelProto, path: str, sentence: str,
                                   monkeypatch: pytest.MonkeyPatch,
                                   capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("CHROMIUM", path)
    assert main(("bench", "net.onnx", "--target", "js")) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


@pytest.mark.usefixtures("chromium")
def test_what_the_runtime_refuses_is_its_sentence(net: onnx.ModelProto,
                                                  monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setitem(bench.ISOLATED, "Content-Security-Policy",
                        "script-src 'self' 'unsafe-inline'")
    assert main(("bench", "net.onnx")) == 1
    error = capsys.readouterr().err
    assert "content security policy does not allow it" in error and error.count("\n") == 1


def test_a_build_belongs_to_its_target(net: onnx.ModelProto,
                                       capsys: pytest.CaptureFixture) -> None:
    assert main(("bench", "net.onnx", "--target", "js", "--build", "simd128")) == 1
    assert "js has no build simd128 here; it has module" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("--runs", "0"), ("--target", "wsam")])
def test_misuse_has_status_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(("bench", "net.onnx", *arguments))
    assert caught.value.code == 2
