"""The command `bench --batch`."""

import json
from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnxpress.cli import main
from onnxpress.cli.bench import command as bench

NET = """<ir_version: 9, opset_import: ["" : 17]>
net (float[N,3,H] x) => (float[N,3,H] y) { y = Softmax<axis = 1>(x) }"""


@pytest.fixture(autouse=True)
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """net.onnx in the current folder, on a machine without Chromium."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "find_chromium", lambda: None)
    onnx.save(onnx.parser.parse_model(NET), "net.onnx")


def measure(capsys: pytest.CaptureFixture, *options: str) -> str:
    asked = ("bench", "net.onnx", "--runs", "2", "--shape", "x=1x3x50", *options)
    assert main(asked) == 0
    return capsys.readouterr().out


def test_a_row_for_each_batch(capsys: pytest.CaptureFixture) -> None:
    head, *rows, last = measure(capsys, "--batch", "1,4,2").splitlines()
    assert head.split()[:3] == ["batch", "median", "ms"]
    assert [row.split()[0] for row in rows] == ["1", "4", "2"]
    assert last.startswith("Samples per second at the median of 2. wasmtime, build relaxed. ")


def test_json(capsys: pytest.CaptureFixture) -> None:
    found = json.loads(measure(capsys, "--batch", "3", "--json"))
    assert (found["model"], found["engine"]) == ("net.onnx", "wasmtime")
    (row,) = found["batches"]
    assert row["batch"] == 3 and row["per_second"] == pytest.approx(3e3 / row["median_ms"])
    assert 0 < row["min_ms"] <= row["median_ms"]


@pytest.mark.parametrize(("change", "sentence"), [
    (("N,3", "2,3"), "bench --batch needs a model whose inputs begin with a free dimension; x does "
                     "not"),
    (("", ""), "dimension 0 (N) is dynamic"),
])
def test_what_is_missing_is_a_sentence(change: tuple[str, str], sentence: str,
                                       capsys: pytest.CaptureFixture) -> None:
    onnx.save(onnx.parser.parse_model(NET.replace(*change)), "net.onnx")
    assert main(("bench", "net.onnx", "--batch", "2")) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
