"""Packs with builds that multiply whole numbers: made where they hold, left out where they do not,
chosen by speed, run in Chromium."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxpress.compiler import Options, press
from onnxpress.emit.wasm import probe as wasm_probe
from onnxpress.pack.values import to_json
from onnxpress.runtime import RUNTIME, write_runtime
from onnxpress.site.recheck import recheck
from support.page_server import PageServer
from support.paths import PAGES
from support.tab import Tab
from support.tasks import answer_of

BUILDS = ["int8-relaxed", "int16-relaxed", "int16-simd128"]
SHAPE = (1, 3, 29, 23)


def net(*coarse: str, faint: str = "") -> onnx.ModelProto:
    """Odd sizes and channels, strides, a residual, values below zero, a pool, a channel that is its
    bias alone; one channel of `coarse` convolutions' results, which matters to nothing, is 400
    times as large as the others; one channel of `faint`'s weights is hardly there."""
    random = np.random.default_rng(3)
    nodes, weights, sizes = [], {}, {}

    def node(op: str, out: str, *inputs: str, **attrs) -> str:
        nodes.append(helper.make_node(op, inputs, [out], **attrs))
        return out

    def conv(out: str, x: str, c: int, o: int, kernel: int, stride: int = 1) -> str:
        sizes[out] = o
        weights[f"{out}.w"] = random.normal(size=(o, c, kernel, kernel)) / np.sqrt(c * kernel**2)
        weights[f"{out}.b"] = random.normal(size=o) / 10
        return node("Conv", out, x, f"{out}.w", f"{out}.b", strides=[stride] * 2,
                    pads=[kernel // 2] * 4)

    stem = node("Relu", "r0", conv("c0", "image", 3, 69, 3))
    narrow = conv("c1", stem, 69, 61, 1)
    down = node("Relu", "r2", conv("c2", narrow, 61, 45, 3, 2))
    again = node("Relu", "r3", conv("c3", down, 45, 93, 1))
    added = node("Relu", "r4", node("Add", "a4", conv("c4", again, 93, 45, 1), down))
    last = conv("c5", added, 45, 101, 3, 2)
    node("Flatten", "flat", node("GlobalAveragePool", "pool", last))
    weights["m"] = random.normal(size=(101, 50)) / 3
    weights["c3.w"][5] = 0
    if faint:
        weights[f"{faint}.w"][3] *= 1e-9
    readers = {"c0": ("c1",), "c1": ("c2",), "c2": ("c3", "c5")}
    for name in coarse:
        weights[f"{name}.w"][0] *= 400
        for reader in readers[name]:
            weights[f"{reader}.w"][:, 0] = 0
    node("MatMul", "scores", "flat", "m")
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 50))],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def pressed(folder: Path, model: onnx.ModelProto, weights: str = "int8") -> dict:
    random = np.random.default_rng(4)
    feeds = [{"image": random.random(SHAPE, np.float32)} for _ in range(2)]
    pack = press(model, folder, Options(weights=weights, feeds=feeds,
                                        answer=answer_of("image-classification")))
    assert {path.name for path in pack.files} == {path.name for path in folder.iterdir()}
    return to_json(pack.manifest)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    pressed(folder, net())
    write_runtime(folder)
    return folder


def manifest_of(pack: Path) -> dict:
    return json.loads((pack / "manifest.json").read_text())


def test_builds_stand_beside_those_in_f32(pack: Path) -> None:
    manifest = manifest_of(pack)
    wasm, rows = manifest["targets"]["wasm"], manifest["proof"]
    assert list(wasm["files"]) == ["relaxed", "simd128", *BUILDS]
    assert [row["build"] for row in rows[-3:]] == BUILDS
    assert all(row["judged"] == "cosine" and row["same_top1"] for row in rows[-3:])
    assert set(wasm["arithmetic"]["int8"]["work"]) == {"f32", "u8"}
    checks = {check.build: check for check in recheck(pack / "manifest.json").checks}
    for build in BUILDS:
        assert 0 < checks[f"wasm {build}"].tolerance < 0.1


def test_f32_weights_get_no_such_build(tmp_path: Path) -> None:
    wasm = pressed(tmp_path, net(), "f32")["targets"]["wasm"]
    assert list(wasm["files"]) == ["relaxed", "simd128"] and "arithmetic" not in wasm


def test_a_layer_whose_operand_is_too_coarse_stays_in_f32(pack: Path, tmp_path: Path) -> None:
    all_of_them, fewer = (manifest["targets"]["wasm"]["arithmetic"]["int8"]["work"]
                          for manifest in (manifest_of(pack), pressed(tmp_path, net("c0"))))
    assert fewer["f32"] - all_of_them["f32"] == pytest.approx(29 * 23 * 69 * 61, rel=1e-3)


def test_a_layer_whose_sums_do_not_fit_stays_in_f32(tmp_path: Path) -> None:
    """A bias counted in steps of faint weights exceeds i32."""
    wasm = pressed(tmp_path, net(faint="c5"))["targets"]["wasm"]
    for name in ("int8", "int16"):
        assert wasm["arithmetic"][name]["work"]["f32"] >= 8 * 6 * 101 * 9 * 45


def test_a_build_that_misses_its_gate_is_left_out(tmp_path: Path) -> None:
    manifest = pressed(tmp_path, net("c0", "c1", "c2"))
    wasm = manifest["targets"]["wasm"]
    assert "int8" not in wasm.get("arithmetic", {}) and "int8-relaxed" not in wasm["files"]
    (note,) = [n for n in manifest["notes"] if n["where"] == "int8-relaxed"]
    assert note["reason"].startswith("left out: cosine is ")


def test_the_probe_times_the_programs_own_tiles() -> None:
    script = (RUNTIME / "targets/wasm/probe.js").read_text("utf-8")
    assert wasm_probe.fill(script) == script


# --- in Chromium ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tab(chromium: None, pack: Path) -> Iterator[Tab]:
    folders = {"/pages/": PAGES, "/rt/": RUNTIME, "/": pack}
    with PageServer(folders) as host, Tab() as tab:
        tab.open(host.url + "/pages/plain.html")
        yield tab


@pytest.mark.parametrize("build", BUILDS)
def test_chromium_gives_what_wasmtime_gives(tab: Tab, pack: Path, build: str) -> None:
    error, tolerance = tab.js(f"""(async () => {{
      const {{ open }} = await import("/rt/targets/wasm.js");
      const {{ goldenError, goldenInputs }} = await import("/rt/model/golden.js");
      const {{ streamWeights }} = await import("/rt/load/weights.js");
      const manifest = await (await fetch("/manifest.json")).json();
      const file = async ({{ url }}) => (await fetch("/" + url)).arrayBuffer();
      const {{ wasm }} = manifest.targets;
      const model = await open(wasm, file, streamWeights(manifest, {{ file }}),
        {{ build: "{build}" }});
      const {{ golden }} = wasm.arithmetic["{build.split('-')[0]}"];
      const outputs = await model.run(goldenInputs(golden, manifest.inputs));
      return [goldenError(golden, outputs), golden.tolerance];
    }})()""")
    assert error <= tolerance


def test_a_clock_that_stands_still_tells_nothing(tab: Tab) -> None:
    assert tab.js("""(async () => {
      const { fastestBuild } = await import("/rt/targets/wasm/probe.js");
      const { targets: { wasm } } = await (await fetch("/manifest.json")).json();
      const now = performance.now;
      performance.now = () => 5;
      try {
        return await fastestBuild({ ...wasm, work: { f32: 1e15 } }, "relaxed");
      } finally {
        performance.now = now;
      }
    })()""") is None


@pytest.mark.parametrize("change,chosen", [
    ("work.f32 = 1e15", r"int(8|16)-relaxed"),
    ("work.f32 = 1", "relaxed"),
    ("work.f32 = 1e15; arithmetic.int8.work.u8 = 1", "int8-relaxed"),
    ("work.f32 = 1e15; arithmetic.int16.work.i16 = 1", "int16-relaxed"),
    ("work.f32 = 1e15; for (const own of Object.values(arithmetic)) "
     "for (const o of own.golden.outputs) o.values.reverse()", "relaxed"),
], ids=["faster", "slower", "bytes", "pairs", "wrong results"])
def test_speed_decides_and_the_check_has_the_last_word(tab: Tab, change: str, chosen: str) -> None:
    build, reason = tab.js(f"""(async () => {{
      const {{ load }} = await import("/onnxpress.js");
      const manifest = await (await fetch("/manifest.json")).json();
      const {{ work, arithmetic }} = manifest.targets.wasm;
      {change};
      const model = await load("/manifest.json", {{ target: "wasm", manifest }});
      await model.checked;
      model.dispose();
      return [model.build, model.reason];
    }})()""")
    assert re.fullmatch(chosen, build), reason
    assert ("whole numbers" in reason) == (build != "relaxed")
