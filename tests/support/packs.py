"""The smallest pack of the real compiler; and any pack, run in a browser through the public API."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxpress.compiler import Options, compile_model
from onnxpress.run.browser import Browser


def product_pack(folder: Path, w: np.ndarray) -> Path:
    """The folder of a pack of y[1, columns] = x[1, rows] @ w[rows, columns]."""
    rows, columns = w.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, rows))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, columns))],
        [numpy_helper.from_array(w, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "product.onnx")
    compile_model(folder / "product.onnx", folder / "out", Options(name="product"))
    return folder / "out"


RUN = """
import { load } from "/runtime/onnxpress.js";
const ARRAYS = { bool: Uint8Array, u8: Uint8Array, i8: Int8Array, u16: Uint16Array,
  i16: Int16Array, u32: Uint32Array, i32: Int32Array, f32: Float32Array, f64: Float64Array };
export const run = async ({ url, target }, body) => {
  const model = await load(url, { target });
  const all = new Float64Array(body);
  const feeds = {};
  let at = 0;
  for (const { name, shape, dtype } of model.inputs) {
    const part = all.subarray(at, at += shape.reduce((a, b) => a * b, 1));
    feeds[name] = dtype === "i64" ? BigInt64Array.from(part, BigInt) : ARRAYS[dtype].from(part);
  }
  const found = await model.run(feeds);
  model.dispose();
  const outputs = model.outputs.map(({ name }) => Float64Array.from(found[name], Number));
  return { value: { target: model.target, lengths: outputs.map((o) => o.length) }, body: outputs };
};
"""


def run_pack(browser: Browser, manifest: Path, target: str, feeds: Mapping[str, np.ndarray],
             timeout: float = 120) -> list[np.ndarray]:
    """The flat outputs on `target` of the pack of `manifest`, a file below the folder of all
    temporary files. `target` must be the one that ran; `feeds` are in the model's order."""
    url = f"/tmp/{manifest.relative_to(browser.folders['/tmp/']).as_posix()}"
    body = b"".join(np.asarray(array, "<f8").tobytes() for array in feeds.values())
    answer = browser.run(RUN, {"url": url, "target": target}, body, timeout)
    assert answer.value["target"] == target
    flat = np.frombuffer(answer.body, "<f8")
    return np.split(flat, np.cumsum(answer.value["lengths"])[:-1])
