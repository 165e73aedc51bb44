"""Every case of the table on the reference and in wasmtime; see support/cases.py."""

from pathlib import Path

import numpy as np
import pytest
from onnxpress.ops.interpret import interpret
from onnxpress.run.wasmtime import WasmProgram
from onnxpress.weights.shards import read_weights
from support.cases import case, parameters


@pytest.mark.parametrize(("name", "target"), parameters(("reference", "relaxed", "simd128")))
def test_case(name: str, target: str, tmp_path: Path) -> None:
    row = case(name)
    feeds = {k: v.astype(np.float32) for k, v in row.feeds.items()}
    if target == "reference":
        got = np.asarray(interpret(row.graph, feeds)["y"])
        assert got.shape == row.want.shape
    else:
        manifest = row.pack("wasm", tmp_path / "pack")
        about = manifest.targets.wasm
        code = (tmp_path / "pack" / about.files[target].url).read_bytes()
        program = WasmProgram(code, about, read_weights(manifest.weights, tmp_path / "pack"))
        got = program.run([feeds[n] for n in row.graph.inputs])[0].reshape(row.want.shape)
    row.check(got)
