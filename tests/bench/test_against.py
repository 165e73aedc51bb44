"""The command `bench --against`: it speaks to a harness, and says what that lacks."""

import json
import shutil
from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnxpress.cli import main

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="no Node.js on PATH")

NET = """<ir_version: 9, opset_import: ["" : 17]>
net (float[4] x) => (float[4] y) { y = Relu(x) }"""

# Measures nothing: every engine's figures are made of its place in the list, if our pack is there.
HARNESS = """
import fs from "node:fs";
const argument = (name) => process.argv[process.argv.indexOf(`--${name}`) + 1];
if (process.argv.includes("--list")) {
  console.log("engines: other-wasm ours-wasm late-wasm broken-wasm native");
  console.log("models: net nets");
} else {
  const pack = `${process.env.ONNXPRESS_PACKS}/${argument("models")}`;
  for (const name of ["manifest.json", "onnxpress.js"]) fs.accessSync(`${pack}/${name}`);
  const rounds = Number(argument("rounds"));
  const summary = argument("engines").split(",").map((engine, i) => (engine === "broken-wasm"
    ? { engine, rounds: 0, roundMedians: [], error: "it broke" }
    : { engine, min: i + 1, relPeak: 1e-7,
      roundMedians: Array.from({ length: rounds }, (_, round) => (i + 1) * (round + 1)) }));
  fs.writeFileSync(argument("out"), JSON.stringify({ summary: summary.reverse() }));
}
"""

DAWN_HARNESS = """
const [engine, model] = process.argv.slice(2);
if (engine === "ort") throw new Error("it broke");
console.log("words of the engine");
console.log(JSON.stringify({ engine, model, medianMs: 7, minMs: 5, errPeak: 1e-6 }));
"""


@pytest.fixture(autouse=True)
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """net.onnx and a harness in the current folder."""
    monkeypatch.chdir(tmp_path)
    onnx.save(onnx.parser.parse_model(NET), "net.onnx")
    Path("bench.mjs").write_text(HARNESS)


def test_ratios_are_those_of_rounds(capsys: pytest.CaptureFixture) -> None:
    assert main(("bench", "net.onnx", "--against", ".", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["target"], found["rounds"]) == ("net.onnx", "wasm", 3)
    rows = [(row["engine"], row["median_ms"], row["ratio"]) for row in found["engines"]]
    assert rows == [("ours-wasm", 2, 1), ("other-wasm", 4, 2), ("late-wasm", 6, 3),
                    ("broken-wasm", None, None)]
    assert found["engines"][3]["error"] == "it broke"
    assert main(("bench", "net.onnx", "--against", ".")) == 0
    head, ours, *_ = capsys.readouterr().out.splitlines()
    assert head.startswith("engine ")
    assert ours.split() == ["ours-wasm", "2.00", "1.00", "1.00", "1.0e-07"]


@pytest.mark.usefixtures("dawn")
def test_under_dawn_the_peers_take_turns_with_ours(monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture) -> None:
    Path("webgpu_dawn.mjs").write_text(DAWN_HARNESS)
    assert main(("bench", "net.onnx", "--target", "webgpu", "--engine", "dawn", "--against", ".",
                 "--runs", "1", "--json")) == 0
    ours, tfjs, ort = json.loads(capsys.readouterr().out)["engines"]
    assert (ours["engine"], ours["ratio"]) == ("ours-webgpu", 1) and ours["median_ms"] > 0
    assert (tfjs["engine"], tfjs["median_ms"], tfjs["error_over_peak"]) == ("tfjs-webgpu", 7, 1e-6)
    assert (ort["engine"], ort["median_ms"]) == ("ort-webgpu", None) and ort["error"]


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("net.onnx", "--against", "none"), "none: bench --against cannot use this harness"),
    (("net.onnx", "--against", ".", "--target", "js"), "has no engine ours-js"),
    (("net.onnx", "--against", ".", "--target", "webgpu"), "add --engine dawn"),
    (("nett.onnx", "--against", "."), 'has no model nett, only net, nets. Did you mean "net"?'),
])
def test_what_is_missing_is_a_sentence(arguments: tuple[str, ...], sentence: str,
                                       capsys: pytest.CaptureFixture) -> None:
    assert main(("bench", *arguments)) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
