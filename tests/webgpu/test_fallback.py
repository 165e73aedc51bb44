"""A GPU that fails at any stage: the result is right, and comes from where it is said to come."""

from collections.abc import Iterator

import numpy as np
import pytest
from onnxpress.run.browser import Browser
from onnxpress.runtime import RUNTIME
from support.chromium import SWIFTSHADER
from support.packs import product_pack

X = np.array([[1, -2, 3]], np.float32)
W = np.array([[1, 2], [3, -4], [5, 6]], np.float32)

# SwiftShader passes for a GPU: it has no name, and the race against the processor cannot be held.
# `swap` changes a method until the fault is over; `before` and `after` stand around load().
FAULT = """
import { load } from "/runtime/onnxpress.js";
const put = (object, name, value) => Object.defineProperty(
  object, name, { configurable: true, writable: true, value });
put(GPUAdapter.prototype, "info", { vendor: "", architecture: "", description: "" });
WebAssembly.Instance = null;
globalThis.device ??= null;
const { createBuffer } = GPUDevice.prototype;
const seen = function (...args) {
  device = this;
  return createBuffer.apply(this, args);
};
export const run = async ([x, before, after]) => {
  const back = [];
  let modules = 0;
  const swap = (kind, name, make) => {
    const old = kind.prototype[name];
    put(kind.prototype, name, make(old));
    back.push(() => put(kind.prototype, name, old));
  };
  swap(GPUDevice, "createBuffer", () => seen);
  swap(GPUDevice, "createShaderModule", (old) => function (...args) {
    modules++;
    return old.apply(this, args);
  });
  const destroying = (old) => function (...args) {
    const made = old.apply(this, args);
    device.destroy();
    return made;
  };
  try {
    new Function("swap", "destroying", before)(swap, destroying);
    const model = await load("/pack/manifest.json", { worker: false });
    const loaded = model.target;
    const running = () => model.run({ x: new Float32Array(x) });
    const { y } = await new Function("swap", "destroying", "running", `return (async () => {
      ${after}; return running(); })()`)(swap, destroying, running);
    const again = await running();
    const value = { y: [...y], again: [...again.y], path: [loaded, model.target],
      notes: model.notes, modules };
    model.dispose();
    return { value };
  } finally {
    for (const restore of back.reverse()) restore();
  }
};
"""

PIPELINE = 'swap(GPUDevice, "createComputePipelineAsync", destroying);'
# name -> (before load(), after it, targets after load() and after run(), what the visitor reads)
FAULTS = {
    "none": ("", "", "webgpu webgpu", ""),
    "no_adapter": ('swap(GPU, "requestAdapter", () => async () => null);', "", "wasm wasm", ""),
    "late_adapter": (
        'let asks = 0; swap(GPU, "requestAdapter", (old) => async function (options) { '
        "return asks++ ? old.call(this, options) : null; });", "", "webgpu webgpu", ""),
    "no_device": (
        'device?.destroy(); swap(GPUAdapter, "requestDevice", () => async () => { '
        'throw new Error("limits exceeded"); });', "", "wasm wasm",
        "WebGPU failed: the GPU gave no device (limits exceeded)."),
    "limits": (
        'swap(GPUDevice, "createBuffer", (old) => function (d) { '
        "return old.call(this, { ...d, size: 2 ** 40 }); });", "", "wasm wasm",
        "WebGPU failed: The GPU refuses a buffer: "),
    "compilation": (
        'swap(GPUDevice, "createShaderModule", (old) => function ({ code }) { '
        "return old.call(this, { code: `${code}!` }); });", "", "wasm wasm",
        "WebGPU failed: The GPU's driver rejects a shader ("),
    "validation": (
        'swap(GPUComputePassEncoder, "dispatchWorkgroups", (old) => function () { '
        "old.call(this, 1e6); });", "", "wasm wasm",
        "WebGPU failed: WebGPU refused the first run: "),
    "lost_preparing": (PIPELINE, "", "wasm wasm", "WebGPU failed: the GPU stopped ("),
    "lost_in_the_check": (
        'swap(GPUQueue, "submit", destroying);', "", "wasm wasm",
        "WebGPU failed: the GPU stopped ("),
    "lost_before_a_run": ("", "device.destroy();", "webgpu webgpu", ""),
    "lost_during_a_run": (
        "", "const first = running(); await null; device.destroy(); return first;",
        "webgpu webgpu", ""),
    "lost_again": ("", f"{PIPELINE} device.destroy();", "webgpu wasm",
                   "WebGPU failed: the GPU stopped ("),
}


@pytest.fixture(scope="module")
def browser(chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = product_pack(tmp_path_factory.mktemp("fallback"), W)
    files = {"/runtime/": RUNTIME, "/pack/": folder}
    with Browser(files, flags=SWIFTSHADER) as browser:
        yield browser


@pytest.mark.parametrize("name", FAULTS)
def test_the_result_is_right_whatever_fails(browser: Browser, name: str) -> None:
    before, after, path, note = FAULTS[name]
    got = browser.run(FAULT, [X.ravel().tolist(), before, after]).value
    assert got["y"] == got["again"] == (X @ W).ravel().tolist()
    assert got["path"] == path.split()
    assert [text.startswith(note) and text.endswith(".") for text in got["notes"]] == (
        [True] if note else [])
    if name == "limits":
        assert got["modules"] == 0  # nothing was compiled for memory that is not there
