"""Runs a pack in a browser through the public API and gives back its outputs."""

from collections.abc import Mapping

import numpy as np
from onnxpress.browser import Browser

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


def run_pack(browser: Browser, url: str, target: str, feeds: Mapping[str, np.ndarray],
             timeout: float = 120) -> list[np.ndarray]:
    """The flat outputs of the pack at `url` on `target`, which must be the one that ran; `feeds`
    are in the model's order."""
    body = b"".join(np.asarray(array, "<f8").tobytes() for array in feeds.values())
    answer = browser.run(RUN, {"url": url, "target": target}, body, timeout)
    assert answer.value["target"] == target
    flat = np.frombuffer(answer.body, "<f8")
    return np.split(flat, np.cumsum(answer.value["lengths"])[:-1])
