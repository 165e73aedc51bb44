"""The command `bench --frames`, on an emulated GPU."""

import json
from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnxpress.cli import main
from onnxpress.cli.bench import command as bench
from onnxpress.cli.bench import frames as bench_frames
from support.chromium import PAINTING, SWIFTSHADER

NET = """<ir_version: 9, opset_import: ["" : 17]>
net (float[1,24,32,3] x, float[1] s) => (float[1,24,32,C] y) { y = Mul(x, s) }"""


def save(channels: int) -> None:
    text = NET.replace("C]", f"{channels}]").replace(",3]", f",{channels}]")
    onnx.save(onnx.parser.parse_model(text), "net.onnx")


@pytest.mark.usefixtures("chromium")
def test_it_counts_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                             capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "FLAGS", SWIFTSHADER)
    monkeypatch.setattr(bench_frames, "FLAGS", PAINTING)
    save(3)
    assert main(("bench", "net.onnx", "--frames", "3", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["size"]) == ("net.onnx", "24x32")
    assert found["live"] > 0 and found["copied"] > 0
    assert "the processor only emulates" in found["reason"]


@pytest.mark.usefixtures("chromium")
def test_no_picture_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    save(5)
    assert main(("bench", "net.onnx", "--frames", "3")) == 1
    error = capsys.readouterr().err
    assert "bench --frames needs pictures of three channels; no input is one" in error
    assert error.count("\n") == 1


def test_without_chromium_it_says_so(monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(bench_frames, "find_chromium", lambda: None)
    assert main(("bench", "net.onnx", "--frames", "3")) == 1
    assert "bench --frames needs Chromium: install it" in capsys.readouterr().err
