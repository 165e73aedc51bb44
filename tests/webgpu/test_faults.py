"""What the WebGPU backend does when the GPU, its driver or the download fails."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from onnxpress.errors import BrowserError
from onnxpress.graph.expr import inp
from onnxpress.run.browser import Browser
from onnxpress.runtime import RUNTIME
from support.chromium import SWIFTSHADER
from support.graphs import Draw, sample_inputs
from support.webgpu_jobs import OPEN, package, program_of

# `device` is the page's shared one; `change` swaps a method and returns what puts it back.
FAULTS = OPEN + """
let device = null;
const make = GPUDevice.prototype.createBuffer;
GPUDevice.prototype.createBuffer = function (...args) {
  device = this;
  return make.apply(this, args);
};
function change(object, name, value) {
  const old = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { configurable: true, value });
  return () => Object.defineProperty(object, name, old);
}
const sound = (out) => out[0].every((v, i) => v === 2 * i);
async function fresh(args, body) {
  const { model, inputs } = unpack(args, body);
  (await model()).dispose();
  device.destroy();
  await device.lost;
  return { model, inputs };
}
export const run = async (args, body) => {
  BODY
};
"""


@pytest.fixture(scope="module")
def browser(chromium: None) -> Iterator[Browser]:
    with Browser({"/runtime/": RUNTIME}, flags=SWIFTSHADER) as browser:
        yield browser


def job(browser: Browser, code: str, **changes: Any) -> Any:
    """What `code` returns; it may use `args` and `body`, a packaged model that doubles 0..7."""
    draw = Draw()
    draw.node("pointwise", "y", draw.input("x", 8), draw.constant("two", [2.0]),
              expr=inp(0) * inp(1))
    graph = draw.graph("y")
    feeds = {"x": 0 * sample_inputs(graph)["x"] + range(8)}
    args, body = package(graph, {**program_of(graph), **changes}, feeds)
    return browser.run(FAULTS.replace("BODY", code), args, body).value


REFUSALS = {
    "webgpu-missing": "change(Navigator.prototype, 'gpu', undefined)",
    "webgpu-adapter": "change(GPU.prototype, 'requestAdapter', async () => null)",
    "webgpu-device": "change(GPUAdapter.prototype, 'requestDevice', "
                     "async () => { throw new Error('limits'); })",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_a_sentence_and_the_next_try_works(browser: Browser, code: str) -> None:
    value = job(browser, f"""
      const {{ model, inputs }} = await fresh(args, body);
      const restore = {REFUSALS[code]};
      const error = await model().catch((e) => e);
      restore();
      const again = await model();
      return {{ value: {{ code: error.code, text: error.message,
                          sound: sound(await again.run(inputs)) }} }};
    """)
    assert value["code"] == code
    assert value["text"].startswith(("this browser", "the browser", "the GPU"))
    assert value["sound"]


def test_probe_tells_of_a_software_adapter(browser: Browser) -> None:
    value = job(browser, "return { value: await probe() };")
    assert value["ok"] and value["software"] and "timestamp-query" in value["features"]


BC, ASTC, ETC2 = (f"texture-compression-{name}" for name in ("bc", "astc", "etc2"))
KINDS = [
    ("nvidia", "ampere", [BC], "discrete"),
    ("amd", "rdna-3", [BC], "discrete"),
    ("intel", "xe-2hpg", [BC], "discrete"),
    ("intel", "gen-12lp", [BC, ASTC, ETC2], "integrated"),
    ("apple", "metal-3", [BC, ASTC, ETC2], "integrated"),
    ("apple", "metal-3", [ASTC, ETC2], "mobile"),
    ("arm", "valhall", [BC, ASTC, ETC2], "mobile"),
    ("qualcomm", "adreno-6xx", [ASTC, ETC2], "mobile"),
    ("qualcomm", "adreno-7xx", [BC], "integrated"),  # a laptop
    ("", "", [BC], "integrated"),
    ("", "", [ASTC, ETC2], "mobile"),
]


def test_the_class_of_a_gpu(browser: Browser) -> None:
    got = browser.run("""
      import { kindOf } from "/runtime/targets/webgpu/device.js";
      export const run = (rows) => ({ value: rows.map(([vendor, architecture, features]) =>
        kindOf({ info: { vendor, architecture }, features: new Set(features) })) });
    """, [row[:3] for row in KINDS]).value
    assert got == [row[3] for row in KINDS]


def test_a_device_lost_before_a_run(browser: Browser) -> None:
    value = job(browser, """
      const { model, inputs } = unpack(args, body);
      const opened = await model();
      device.destroy();
      const error = await opened.run(inputs).catch((e) => e);
      opened.dispose();
      const again = await model();
      return { value: [error.code, sound(await again.run(inputs))] };
    """)
    assert value == ["webgpu-lost", True]


def test_a_device_lost_during_a_run(browser: Browser) -> None:
    value = job(browser, """
      const { model, inputs } = unpack(args, body);
      const opened = await model();
      const before = await opened.run(inputs);
      const running = opened.run(inputs);
      device.destroy();
      const error = await running.catch((e) => e);
      return { value: [sound(before), error.code, sound(await (await model()).run(inputs))] };
    """)
    assert value == [True, "webgpu-lost", True]


def test_a_device_lost_while_opening(browser: Browser) -> None:
    value = job(browser, """
      const { model, inputs } = unpack(args, body);
      async function* weights() {
        device.destroy();
        yield { name: "two", data: new Float32Array(1) };
      }
      const error = await model(weights()).then((m) => m.run(inputs)).catch((e) => e);
      return { value: [error.code, sound(await (await model()).run(inputs))] };
    """)
    assert value == ["webgpu-lost", True]


def test_a_shader_that_does_not_compile(browser: Browser) -> None:
    with pytest.raises(BrowserError, match=r"rejects a shader \(// broken\): line 2: ") as caught:
        job(browser, """
          await unpack(args, body).model();
        """, shaders=[{"code": "// broken\nfn main( {}", "reads": 1, "writes": 1}],
            dispatches=[])
    assert caught.value.code == "webgpu-compile"


def test_a_buffer_that_no_device_offers(browser: Browser) -> None:
    with pytest.raises(BrowserError, match="refuses a buffer") as caught:
        job(browser, "await unpack(args, body).model();", buffers=[2**40, 2**40, 2**40])
    assert caught.value.code == "webgpu-limits"


def test_a_binding_that_does_not_fit(browser: Browser) -> None:
    with pytest.raises(BrowserError, match="refused a binding") as caught:
        job(browser, "await unpack(args, body).model();", buffers=[16, 16, 16])
    assert caught.value.code == "webgpu-validation"


def test_weights_that_stop_short_or_fail(browser: Browser) -> None:
    value = job(browser, """
      async function* none() {}
      async function* broken() { throw Object.assign(new Error("cut"), { code: "download" }); }
      const codes = [];
      for (const weights of [none(), broken()]) {
        codes.push((await unpack(args, body).model(weights).catch((e) => e)).code);
      }
      return { value: codes };
    """)
    assert value == ["webgpu-weights", "download"]


def test_models_share_a_device_and_run_at_once(browser: Browser) -> None:
    value = job(browser, """
      const { model, inputs } = await fresh(args, body);
      let devices = 0;
      const ask = GPUAdapter.prototype.requestDevice;
      const restore = change(GPUAdapter.prototype, "requestDevice",
        function (...a) { devices++; return ask.apply(this, a); });
      const models = await Promise.all([model(), model(), model()]);
      restore();
      const outs = await Promise.all(models.map((m) => m.run(inputs)));
      models[0].dispose();
      outs.push(await models[1].run(inputs));
      return { value: [devices, outs.every(sound)] };
    """)
    assert value == [1, True]


def test_wrong_input_length_is_said(browser: Browser) -> None:
    with pytest.raises(BrowserError, match='Input "x" takes 8 values, got 3'):
        job(browser, "await (await unpack(args, body).model()).run([new Float32Array(3)]);")


@pytest.mark.parametrize("stamped", [True, False])
def test_profiles_name_every_step(browser: Browser, stamped: bool) -> None:
    value = job(browser, f"""
      const {{ model, inputs }} = await fresh(args, body);
      const ask = GPUAdapter.prototype.requestDevice;
      const restore = {json.dumps(stamped)} ? () => {{}} : change(GPUAdapter.prototype,
        "requestDevice", function () {{ return ask.call(this); }});
      const opened = await model();
      restore();
      const times = await opened.profile(inputs);
      device.destroy();
      return {{ value: times }};
    """)
    assert [step["label"] for step in value] == ["pointwise 8 -> 8"]
    assert value[0]["ms"] >= 0


def test_a_run_makes_nothing_that_outlives_it(browser: Browser) -> None:
    value = job(browser, """
      const { model, inputs } = unpack(args, body);
      const opened = await model();
      await opened.run(inputs);
      let made = 0;
      const names = ["createBuffer", "createBindGroup", "createComputePipelineAsync",
        "createShaderModule", "createQuerySet"];
      const restore = names.map((name) => {
        const old = GPUDevice.prototype[name];
        return change(GPUDevice.prototype, name,
          function (...a) { made++; return old.apply(this, a); });
      });
      for (let i = 0; i < 100; i++) await opened.run(inputs);
      for (const back of restore) back();
      return { value: made };
    """)
    assert value == 0
