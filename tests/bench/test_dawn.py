"""The command `bench --engine dawn`, and its script alone, on an emulated GPU."""

import json
import subprocess
from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnxpress.cli import main
from onnxpress.cli.bench.dawn import SCRIPT
from onnxpress.emit.wgsl.device import DEVICES
from support.node import find_node

NET = """<ir_version: 9, opset_import: ["" : 17]>
net (float[1,24,32,3] x, float[1] s) => (float[1,24,32,3] y) { y = Mul(x, s) }"""


@pytest.fixture(autouse=True)
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """net.onnx in the current folder."""
    monkeypatch.chdir(tmp_path)
    onnx.save(onnx.parser.parse_model(NET), "net.onnx")


@pytest.mark.usefixtures("dawn")
def test_the_command_measures_under_dawn(capsys: pytest.CaptureFixture) -> None:
    asked = ("bench", "net.onnx", "--target", "webgpu", "--engine", "dawn", "--runs", "2")
    assert main((*asked, "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["target"]) == ("net.onnx", "webgpu")
    assert found["build"] in [device.name for device in DEVICES]
    assert found["engine"].startswith("Dawn in Node ") and "SwiftShader" in found["engine"]
    assert [step["label"] for step in found["steps"]] == ["pointwise 1x24x32x3 -> 1x24x32x3"]
    assert found["steps"][0]["bytes"] == 4 * (2 * 24 * 32 * 3 + 1)
    assert 0 < found["run"]["min_ms"] <= found["run"]["median_ms"]
    assert found["run"]["load_ms"] > 0 and found["peak"]["gflops"] > 0


@pytest.mark.usefixtures("dawn")
def test_frames_go_from_texture_to_texture(capsys: pytest.CaptureFixture) -> None:
    assert main(("bench", "net.onnx", "--engine", "dawn", "--frames", "3")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "at 24x32 from a texture to a texture on the GPU." in lines[0]
    assert lines[1].startswith("Dawn in Node ")


@pytest.mark.usefixtures("dawn")
def test_the_script_alone(capsys: pytest.CaptureFixture) -> None:
    assert main(("compile", "net.onnx", "--out", "pack", "--targets", "webgpu")) == 0
    done = script("pack", "--runs", "1")
    assert done.returncode == 0, done.stderr
    title, head, step, total, words = done.stdout.strip().splitlines()
    assert (title, head.split()[:2], total.split()[0]) == ("net", ["Step", "ms"], "total")
    assert step.startswith("pointwise 1x24x32x3 -> 1x24x32x3 ")
    assert words.startswith("From bytes in memory, the device included: loaded in ")


def test_what_is_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture) -> None:
    def refusal(*changes: str) -> str:
        assert main(("bench", "net.onnx", "--engine", "dawn", *changes)) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    assert "bench --engine dawn measures WebGPU; add --target webgpu" in refusal()
    monkeypatch.setenv("NODE_PATH", "")
    monkeypatch.setenv("PATH", str(Path(find_node()).parent))
    assert "install the package webgpu here (npm install webgpu)" in refusal("--target", "webgpu")
    monkeypatch.setenv("PATH", "")
    assert "bench --engine dawn needs Node.js on PATH" in refusal("--target", "webgpu")


@pytest.mark.parametrize(("arguments", "sentence"), [
    ((), "give one or more folders that onnxpress compile wrote"),
    ((".",), ".: holds no manifest.json beside onnxpress.js"),
    (("gone",), "gone: cannot be read: ENOENT"),
    ((".", "--runs", "0"), '--runs: "0" is not a number of at least 1'),
])
def test_misuse_of_the_script(arguments: tuple[str, ...], sentence: str) -> None:
    done = script(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence) and done.stderr.count("\n") == 1


def script(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([find_node(), SCRIPT, *arguments], text=True, capture_output=True,
                          check=False, timeout=100)
