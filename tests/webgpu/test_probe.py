"""A GPU without a name races the processor: an emulated one comes last, no race breaks a page."""

import re
import shutil
import subprocess

import pytest
from onnxpress.emit.wasm.asm import I32, Function, Module
from onnxpress.run.browser import Browser
from onnxpress.runtime import RUNTIME
from support.chromium import SWIFTSHADER

F32 = 0x7D  # WebAssembly's code of the type
DETECT = """
import { detect, explain } from "/runtime/model/detect.js";
export const run = async (sabotage) => {
  const hidden = { vendor: "", architecture: "", description: "" };
  Object.defineProperty(GPUAdapter.prototype, "info", { get: () => hidden });
  new Function(sabotage)();
  const files = { simd128: {}, integrated: {} };
  const manifest = { targets: { webgpu: { files }, wasm: { files }, js: { files } } };
  const { candidates, refused } = await detect(manifest, "auto");
  const alone = await detect(manifest, "webgpu");
  return { value: { order: candidates.map(({ target }) => target),
    why: explain(candidates[0], refused), alone: alone.candidates[0].reason } };
};
"""
SOUND = ["webgpu", "wasm", "js"]
SABOTAGE = {
    "fails": "GPUDevice.prototype.createComputePipelineAsync = async () => { throw Error('no'); }",
    "hangs": "GPUQueue.prototype.onSubmittedWorkDone = () => new Promise(() => {})",
}


def detect(sabotage: str) -> dict:
    with Browser({"/runtime/": RUNTIME}, flags=SWIFTSHADER) as browser:
        return browser.run(DETECT, sabotage).value


def test_an_emulated_gpu_without_a_name_comes_last(chromium: None) -> None:
    found = detect("")
    assert found["order"] == ["wasm", "js", "webgpu"]
    assert "WebGPU is not used: one core of the processor is faster" in found["why"]
    assert found["alone"] == "the graphics processor is the fastest way"  # as asked: no race


@pytest.mark.parametrize("how", SABOTAGE)
def test_a_race_that_does_not_end_changes_nothing(chromium: None, how: str) -> None:
    assert detect(SABOTAGE[how])["order"] == SOUND


@pytest.mark.skipif(not shutil.which("node"), reason="no Node.js on this machine")
def test_the_core_runs_the_module_that_the_comments_tell() -> None:
    run = Function("run", [I32], F32)
    sums, (halves, ones) = run.many(8), run.many(2)
    run.f32x4(0.5).set(halves).f32x4(1.0).set(ones)
    with run.times(0):
        for s in sums:
            run.get(s, halves).op("f32x4.mul").get(ones).op("f32x4.add").set(s)
    run.get(sums[0])
    for s in sums[1:]:
        run.get(s).op("f32x4.add")
    run.lane(0)
    module = Module()
    module.add(run, export=True)
    text = (RUNTIME / "targets/webgpu/probe.js").read_text()
    helpers = re.search(r"(?s)const each = .*?\n\];\n", text)[0]
    node = ["node", "-e", f"{helpers} console.log(CORE.join())"]
    held = subprocess.run(node, capture_output=True, text=True, check=True).stdout
    code = lambda whole: whole.rpartition(b"run\0\0")[2]  # noqa: E731, behind the last export
    assert code(bytes(map(int, held.split(",")))) == code(module.encode(pages=0)) != b""
