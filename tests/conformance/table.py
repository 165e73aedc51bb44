"""The table of node tests: made by `make conformance`, kept in table.json, shown by the site.

Targets: both builds of WebAssembly in wasmtime, JavaScript in Node, and WebGPU in Chromium on
SwiftShader.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxpress.errors import OnnxPressError
from onnxpress.run.browser import Browser

from . import targets
from .node_tests import NodeTest, Prepared, node_tests, prepare

HERE = Path(__file__).parent
TABLE = HERE / "table.json"
# Tests whose expected values onnxruntime does not give either, and why we follow onnxruntime.
AS_ONNXRUNTIME = {
    "test_resize_downsample_scales_linear_align_corners":
        "corners of whole sizes are aligned, as in onnxruntime and PyTorch",
    "test_resize_downsample_scales_cubic_align_corners":
        "corners of whole sizes are aligned, as in onnxruntime and PyTorch",
}


@dataclass(frozen=True)
class Row:
    """A test. `how` it was prepared, "" if it is refused. `results`: target -> "" or what is
    wrong or refused."""

    operator: str
    opset: int
    how: str
    results: Mapping[str, str]

    def right(self, target: str) -> bool:
        return not self.results[target]


def wrong(name: str, said: str) -> bool:
    """Whether a result is a wrong number, and no refusal."""
    return bool(said) and not said.startswith(targets.REFUSED) and name not in AS_ONNXRUNTIME


def prepared() -> tuple[list[Prepared], dict[str, Row]]:
    """(the tests that the importer takes, rows of the others)."""
    found, refused = [], {}
    for test in node_tests()[0]:
        try:
            found.append(prepare(test))
        except OnnxPressError as error:
            refused[test.name] = refusal(test, str(error))
    return found, refused


def refusal(test: NodeTest, sentence: str) -> Row:
    said = f"{targets.REFUSED}{sentence}"
    return Row(test.operator, test.opset, "", dict.fromkeys(targets.TARGETS, said))


def rows_of(tests: list[Prepared], results: Mapping[str, Mapping[str, str]]) -> dict[str, Row]:
    """The rows of prepared tests; `results`: target -> (test -> what is wrong)."""
    told = targets.merged(results)
    return {t.test.name: Row(t.test.operator, t.test.opset, t.how, told[t.test.name])
            for t in tests}


def run_here(tests: list[Prepared], folder: Path) -> dict[str, dict[str, str]]:
    """The results of the targets that need no browser."""
    return {"relaxed": targets.on_wasm(tests, "relaxed"),
            "simd128": targets.on_wasm(tests, "simd128"), "js": targets.on_js(tests, folder)}


def make(browser: Browser) -> dict[str, Row]:
    """Every test in scope on every target."""
    tests, refused = prepared()
    with TemporaryDirectory() as folder:
        results = run_here(tests, Path(folder))
    results["webgpu"] = targets.on_webgpu(tests, browser)
    rows = {**refused, **rows_of(tests, results)}
    return {test.name: rows[test.name] for test in node_tests()[0]}


def save(rows: Mapping[str, Row]) -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(asdict(row))}" for name, row in rows.items()]
    head = json.dumps({"onnx": onnx.__version__, "opset": onnx.defs.onnx_opset_version(),
                       "left": dict(node_tests()[1])})
    body = ",\n".join(lines)
    TABLE.write_text(f'{head[:-1]}, "tests": {{\n{body}\n}}}}\n', "utf-8", newline="\n")


def load() -> tuple[str, int, dict[str, int], dict[str, Row]]:
    """(version of onnx, its newest opset, reason -> tests out of scope, test -> row)"""
    table = json.loads(TABLE.read_text("utf-8"))
    return table["onnx"], table["opset"], table["left"], {
        name: Row(**row) for name, row in table["tests"].items()}
