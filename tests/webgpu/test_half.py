"""Programs in f16: every kernel on lavapipe against the simulation that proves packs, and which
packs get them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto
from onnxpress.compiler import Options, press
from onnxpress.emit.wgsl.device import DEVICES, DISCRETE, INTEGRATED
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph
from onnxpress.ops import OPS, bound
from onnxpress.pack.values import to_json
from onnxpress.programs.webgpu.build import build
from onnxpress.proof.golden import MARGIN
from onnxpress.proof.half import keep_constants, simulate
from onnxpress.run.browser import Browser
from onnxpress.runtime import RUNTIME
from onnxpress.site.page_numbers import half_precision
from onnxpress.weights.encodings import round_trip
from support.chromium import SWIFTSHADER
from support.graphs import Draw, sample_inputs
from support.lavapipe import run_program
from support.onnx_models import model, node

EPSILON = float(np.finfo(np.float32).eps)
STEP = 2.0**-10  # of a value in f16, relative; a sum at the border of two may fall to either
SMALLEST = 2.0**-24


def conv(kernel: int, o: int, residual: bool = False, **options: int) -> Callable:
    def add(draw: Draw) -> str:
        draw.conv("c", "p", kernel, o, **options)
        if residual:
            node = draw.nodes.pop()
            draw.node("conv2d", "c", *node.inputs, "p",
                      **{**node.attrs.told(), "epilogue": call("max", inp(0) + inp(1) * 0.5, 0.0)})
        return "c"

    return add


def op(name: str, *constants: tuple[int, ...], shape: tuple[int, ...] | None = None, **attrs: object
       ) -> Callable:
    def add(draw: Draw) -> str:
        names = [draw.weights(f"w{i}", *s) for i, s in enumerate(constants)]
        return draw.node(name, "r", "p", *names, shape=shape, **attrs)

    return add


def products(draw: Draw) -> str:
    """Both sides are values; the second is transposed in memory."""
    draw.node("transpose", "t", "p", perm=(0, 2, 1))
    return draw.node("matmul", "r", "p", "t", draw.weights("bias", draw.values["p"].shape[1]))


def joined(draw: Draw) -> str:
    draw.node("pad", "q", "p", before=(0, 1, 0, 0), after=(0, 0, 2, 0), mode="edge", value=0.0)
    draw.node("slice", "s", "q", starts=(0, 1, 2, 0), steps=(1, 1, 1, 1),
              shape=draw.values["p"].shape)
    return draw.node("concat", "r", "s", "p", axis=3)


def picked(draw: Draw) -> str:
    """Indices that f16 cannot count stay whole: their type is no float."""
    draw.node("argmax", "i", "p", axis=0, largest=True, select_last=False, dtype="i64")
    return draw.node("gather", "r", "p", "i", axis=0)


def best(k: int) -> Callable:
    return lambda draw: draw.outputs("topk", ("r", "places"), "p", axis=1, k=k, largest=True)[0]


KERNELS: Mapping[str, tuple[tuple[int, ...], Callable]] = {
    "tiled": ((1, 15, 17, 8), conv(3, 12, pad=1)),
    "winograd": ((1, 9, 14, 8), conv(3, 12, pad=1)),
    "thin": ((1, 15, 17, 3), conv(3, 7, pad=1)),
    "split": ((1, 7, 7, 256), conv(3, 32, pad=1)),
    "residual": ((1, 9, 7, 8), conv(3, 8, residual=True, pad=1)),
    "depthwise": ((1, 9, 7, 8), conv(3, 8, pad=1, groups=8)),
    "grouped_odd": ((1, 9, 7, 6), conv(3, 9, pad=1, groups=3)),
    "vector": ((1, 1, 1, 96), conv(1, 24)),
    "products": ((3, 20, 36), products),
    "moves": ((1, 6, 7, 4), joined),
    "pointwise": ((1, 6, 7, 4), op("pointwise", (1, 6, 1, 1), (4,), expr=inp(0) * inp(1) + inp(2))),
    "pointwise_odd": ((3, 7), op("pointwise", expr=call("tanh", inp(0)))),
    "pool": ((1, 9, 8, 4), op("pool2d", kind="average", kernel=(3, 3), strides=(2, 2),
                              pads=(1,) * 4, dilations=(1, 1), count_include_pad=False,
                              size=(5, 4))),
    "norm": ((1, 40, 40, 4), op("normalize", (1, 1, 1, 4), (1, 1, 1, 4), axes=(1, 2), eps=1e-5)),
    "reduce": ((1, 64, 64, 4), op("reduce", kind="mean", axes=(1, 2))),
    "softmax": ((5, 1000), op("softmax", axis=1, log=False)),
    "window_sum": ((2, 3, 7), op("window_sum", lo=2, hi=2)),
    "gather": ((5, 7), picked),
    "topk": ((3, 300), best(40)),
    "topk_sorted": ((1, 2100), best(1500)),
    "cumsum": ((5, 7), op("cumsum", axis=1, exclusive=True, reverse=False)),
    "cumsum_long": ((2, 600), op("cumsum", axis=1, exclusive=False, reverse=True)),
}


def drawn(name: str) -> Graph:
    """The kernel between a step that stores its input as f16 and one that gives f32."""
    shape, add = KERNELS[name]
    draw = Draw()
    draw.node("pointwise", "p", draw.input("x", *shape), expr=inp(0) * 1.0)
    draw.node("pointwise", "y", add(draw), expr=inp(0) * 1.0)
    return draw.graph("y")


@pytest.mark.parametrize("name, encoding", [
    *((name, "f32") for name in KERNELS), ("tiled", "int8"),
    ("winograd", "int8"), ("depthwise", "int8")])
def test_kernels(lavapipe: None, name: str, encoding: str) -> None:
    graph = drawn(name)
    encodings = {n: encoding if n == "c.w" else "f32" for n in graph.constants}
    feeds = {n: a.astype(np.float16).astype(np.float32) for n, a in sample_inputs(graph).items()}
    device = DISCRETE if encoding == "f32" else INTEGRATED
    device = replace(device, sizes=(4,) if name == "winograd" else (1,))
    program = build(graph, (device,), encodings, half=True)
    content = json.loads(program.files[f"{device.name}-f16"][0])
    assert any("f16;" in shader["code"] for shader in content["shaders"])
    (got,) = run_program(content, graph, encodings, feeds)
    decoded = ((n, round_trip(a, encodings[n])) for n, a in graph.constants.items())
    kept = replace(graph, constants=keep_constants(program, decoded))
    ((want,),) = simulate(kept, [feeds])
    ulps = sum(OPS[n.op].ulps(bound(n, graph), [graph.shape(i) for i in n.inputs])
               for n in graph.nodes)
    peak = max(1.0, float(np.abs(want).max()))
    error = np.abs(got - want.ravel())
    assert (error <= (ulps + 1) * EPSILON * peak + STEP * np.abs(want.ravel()) + SMALLEST).all()
    assert (got == got.astype(np.float16)).all()


def net(shift: float) -> ModelProto:
    """Small values beside `shift`, which the last layer takes away again."""
    random = np.random.default_rng(1)
    weights = {"a": random.normal(0, 0.2, (8, 3, 3, 3)), "b": np.full(8, shift),
               "c": random.normal(0, 0.2, (8, 8, 1, 1))}
    weights["d"] = -shift * weights["c"].sum((1, 2, 3))
    last = node("Conv", "q c d", "y")
    last.name = "last"
    nodes = [node("Conv", "x a b", "p"), node("MaxPool", "p", "q", kernel_shape=[2, 2]), last]
    return model(nodes, {"x": [1, 3, 16, 16]},
                 weights={n: a.astype(np.float32) for n, a in weights.items()})


def test_a_pack_whose_values_may_be_rounded_has_programs_in_f16(tmp_path: Path) -> None:
    manifest = press(net(0.5), tmp_path, Options()).manifest
    target = manifest.targets.webgpu
    kinds = [device.name for device in DEVICES]
    assert list(target.files) == [*kinds, *(f"{kind}-f16" for kind in kinds)]
    assert set(target.checks) == {f"{kind}-f16" for kind in kinds}
    row = manifest.proof[-1]
    assert row.build == "f16" and row.holds and row.psnr_db > 40
    for check in target.checks.values():
        assert MARGIN * row.max_error_over_peak * 0.2 < check.tolerance < 0.1
    assert "keeps them in f16 (PSNR" in half_precision(manifest.f16)


def test_a_pack_that_rounding_would_harm_has_none(tmp_path: Path) -> None:
    manifest = press(net(1000), tmp_path, Options()).manifest
    target = manifest.targets.webgpu
    assert list(target.files) == [device.name for device in DEVICES]
    assert not target.checks and not manifest.f16.holds
    assert all(row.build != "f16" for row in manifest.proof)
    assert "would harm its results (PSNR" in half_precision(manifest.f16)


# SwiftShader has no f16: the adapter claims it, and the program under the name is one in f32.
CLAIM = """
import { load } from "/runtime/onnxpress.js";
const claim = (name, value) =>
  Object.defineProperty(GPUAdapter.prototype, name, { configurable: true, ...value });
claim("features", { get: () => new Set(["shader-f16", "texture-compression-bc"]) });
claim("info", { get: () => ({ vendor: "intel", architecture: "gen-12lp" }) });
const ask = GPUAdapter.prototype.requestDevice;
const asked = [];
claim("requestDevice", { value(options) {
  asked.push(...options.requiredFeatures);
  return ask.call(this);
} });
export const run = async ({ url }) => {
  const model = await load(url, { target: "webgpu" });
  const { target, build, reason, notes, check } = model;
  model.dispose();
  return { value: { target, build, reason, notes, check, asked } };
};
"""


def test_f16_is_taken_where_it_is_and_f32_comes_next(chromium: None, tmp_path: Path) -> None:
    manifest = to_json(press(net(0.5), tmp_path, Options()).manifest)
    target = manifest["targets"]["webgpu"]
    target["files"]["integrated-f16"] = target["files"]["integrated"]
    for name, tolerance in (("sound", 0.01), ("off", -1)):
        target["checks"]["integrated-f16"]["tolerance"] = tolerance
        (tmp_path / f"{name}.json").write_text(json.dumps(manifest))
    with Browser({"/runtime/": RUNTIME, "/pack/": tmp_path}, flags=SWIFTSHADER) as browser:
        sound, off = (browser.run(CLAIM, {"url": f"/pack/{name}.json"}).value
                      for name in ("sound", "off"))
    assert (sound["target"], sound["build"]) == ("webgpu", "integrated-f16")
    assert sound["asked"] == ["shader-f16"] and sound["notes"] == []
    assert "in f16" in sound["reason"] and sound["check"]["tolerance"] == 0.01
    assert (off["target"], off["build"]) == ("webgpu", "integrated")
    assert "in f32" in off["reason"] and "only -1 is allowed" in off["notes"][0]
    assert off["check"]["tolerance"] == manifest["golden"]["tolerance"]
