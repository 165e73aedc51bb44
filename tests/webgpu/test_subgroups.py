"""Reductions with subgroups and without: one net of awkward shapes on both kinds of device."""

import numpy as np
import pytest
from onnxpress.programs.webgpu.merge import merge_shaders, parse
from onnxpress.run.browser import Browser
from onnxpress.runtime import RUNTIME
from support.chromium import SWIFTSHADER
from support.graphs import Draw, sample_inputs
from support.webgpu_jobs import check, program_of

# The page counts the pipelines of either kind that it has been given.
SPY = """
export const run = async ({ without }) => {
  globalThis.made = { subgroups: 0, portable: 0 };
  const codes = new WeakMap();
  const { createShaderModule, createComputePipelineAsync } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const module = createShaderModule.call(this, descriptor);
    codes.set(module, descriptor.code);
    return module;
  };
  GPUDevice.prototype.createComputePipelineAsync = async function (descriptor) {
    const pipeline = await createComputePipelineAsync.call(this, descriptor);
    const code = codes.get(descriptor.compute.module);
    made[/^enable subgroups;$/m.test(code) ? "subgroups" : "portable"]++;
    return pipeline;
  };
  const { features } = (await navigator.gpu.requestAdapter());
  if (!features.has("subgroups")) throw new Error("this adapter lacks subgroups");
  const kept = new Set([...features].filter((name) => name !== without));
  Object.defineProperty(GPUAdapter.prototype, "features", { get: () => kept });
  return { value: null };
};
"""
MADE = "export const run = async () => ({ value: globalThis.made });"

# Across 1, 2, 4, ... outputs; along less and more than a subgroup; rows that are cut in parts.
FOLDS = [("mean", (3, 300), (1,)), ("max", (300, 3), (0,)), ("sum", (3, 1), (1,)),
         ("prod", (70, 2), (0,)), ("mean", (130, 40, 3), (0, 1)), ("max", (130, 40, 4), (0, 1)),
         ("min", (2, 3, 4), (0, 1, 2))]
ROWS = [((3, 10), 1, False), ((2, 300), 1, True), ((2, 5, 8), 1, False), ((2, 5, 7), 1, True)]
NORMS = [((1, 9, 7, 8), (1, 2)), ((1, 64, 61, 3), (1, 2))]
PRODUCTS = [(700, 12), (64, 1000)]


def reductions() -> tuple[Draw, list[str]]:
    draw = Draw()
    outputs = []

    def node(op: str, *inputs: str, **attrs: object) -> None:
        outputs.append(f"y{len(outputs)}")
        draw.node(op, outputs[-1], *inputs, **attrs)

    for i, (kind, shape, axes) in enumerate(FOLDS):
        node("reduce", draw.input(f"f{i}", *shape), kind=kind, axes=axes)
    for i, (shape, axis, last) in enumerate(ROWS):
        name = draw.input(f"r{i}", *shape)
        node("softmax", name, axis=axis, log=False)
        node("argmax", name, axis=axis, largest=True, select_last=last)
    for i, (shape, axes) in enumerate(NORMS):
        kept = [1 if a in axes and a != len(shape) - 1 else n for a, n in enumerate(shape)]
        node("normalize", draw.input(f"n{i}", *shape), draw.weights(f"s{i}", *kept),
             draw.weights(f"t{i}", *kept), axes=axes, eps=1e-5)
    for i, (k, n) in enumerate(PRODUCTS):
        node("matmul", draw.input(f"p{i}", 1, k), draw.weights(f"w{i}", k, n),
             draw.weights(f"b{i}", n))
    return draw, outputs


@pytest.mark.parametrize("without", ["subgroups", None], ids=["portable", "subgroups"])
def test_reductions(chromium: None, without: str | None) -> None:
    draw, outputs = reductions()
    graph = draw.graph(*outputs)
    feeds = sample_inputs(graph)
    for i in range(len(ROWS)):  # ties for argmax
        feeds[f"r{i}"] = np.round(2 * feeds[f"r{i}"]) / 2
    shaders = program_of(graph)["shaders"]
    folding = sum("//+" in shader["code"] for shader in shaders)
    with Browser({"/runtime/": RUNTIME}, flags=SWIFTSHADER) as browser:
        browser.run(SPY, {"without": without})
        check(browser, draw, *outputs, feeds=feeds)
        made = browser.run(MADE).value
    assert folding > 12
    want = 0 if without else folding
    assert made == {"subgroups": want, "portable": len(shaders) - want}


def test_both_texts_share_their_numbers() -> None:
    """Merging looks into the lines for subgroups and drops other comments."""
    texts = [f"// title\nlet a = {n}u; // {n}\n//+ let b = {n}u;\n" for n in (3, 5)]
    (shared,) = merge_shaders(texts, 0)
    assert shared.numbers == {texts[0]: (3,), texts[1]: (5,)}
    assert "//+ let b = numbers[0].x;" in shared.code
    assert len(parse(texts[0]).numbers) == 2
