"""Products of whole numbers in WebAssembly: whole programs in wasmtime, both instruction choices,
against the float64 interpreter; what no buffer owns must stay as it was.

Sizes stand below, at, above and odd against the tile of 6 pixels x 8 channels and against the
elements of a word: 4 bytes, 2 i16.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph
from onnxpress.ops.interpret import interpret
from onnxpress.ops.whole import whole_values
from onnxpress.passes import run_passes
from onnxpress.passes.quantize_activations import quantize_activations
from onnxpress.programs.wasm import build as wasm
from onnxpress.programs.wasm import int8 as wasm_int8
from onnxpress.run.wasmtime import WasmProgram
from support.graphs import Draw, distance, sample_inputs
from support.pass_cases import quantized_around_floats, quantized_block
from support.step_heap import GUARD, owned
from support.whole_numbers import Whole


def check(graph: Graph, count: int) -> None:
    """`count` products run on whole numbers, and give what f64 gives: all sums are exact, results
    pass a few roundings of f32, which may turn a tie."""
    random = np.random.default_rng(5)
    feeds = {n: random.standard_normal(graph.shape(n)).astype(np.float32) for n in graph.inputs}
    (want,) = interpret(graph, feeds).values()
    for integers in wasm_int8.INTEGERS:
        marked = wasm_int8.mark(graph, integers.kind, graph.constants)
        built = wasm_int8.build(marked, integers, graph.constants)
        assert sum("dot" in node.attrs.told() for node in marked.nodes) == count
        for code, _ in built.files.values():
            program = WasmProgram(code, built.about, graph.constants)
            free = owned(marked, program)
            program.heap[~free] = GUARD
            for _ in range(2):  # the second run finds the first one's remains
                (got,) = program.run(list(feeds.values()))
            assert (program.heap[~free] == GUARD).all()
            np.testing.assert_allclose(got.reshape(want.shape), want, rtol=2**-21, atol=1e-3)


@pytest.mark.parametrize("c", [1, 2, 3, 4, 5, 8, 13, 32])
def test_channels_in_and_out(c):
    for o, kernel in product((1, 3, 4, 5, 8, 12, 17, 26), ((1, 1), (3, 3))):
        d = Whole()
        mid = d.convolution("mid", d.steps(d.input("x", 1, 3, 5, c)), kernel, o)
        d.convolution("y", mid, kernel, 5, plain=True)
        check(d.graph("y"), 2)


@pytest.mark.parametrize("pixels", [1, 2, 4, 5, 6, 7, 8, 11, 12, 13, 25, 49])
def test_pixels_against_the_tile(pixels):
    for shape, kernel in (((2, 1, pixels, 9), (1, 3)), ((1, pixels, 1, 8), (3, 1))):
        d = Whole()
        first = d.convolution("first", d.steps(d.input("x", *shape)), kernel, shape[3])
        second = d.convolution("second", first, (1, 1), shape[3], residual=first)
        d.convolution("y", second, kernel, 12, plain=True)
        check(d.graph("y"), 3)


@pytest.mark.parametrize("lo", [0, -128 // 2, -100])
@pytest.mark.parametrize("mode", ["zero", "reflect", "edge"])
def test_halos_of_values_on_both_sides_of_zero(lo, mode):
    for c, strides, dilations, pads in ((5, (1, 1), (1, 1), (1, 1, 1, 1)),
                                        (8, (2, 1), (1, 2), (0, 1, 2, 3)),
                                        (9, (3, 3), (2, 2), (2, 2, 1, 0))):
        d = Whole()
        x = d.steps(d.input("x", 2, 11, 9, c), lo, lo + 127)
        mid = d.convolution("mid", x, (3, 3), c, strides, pads, dilations, mode, lo=lo, hi=lo + 127)
        d.convolution("y", mid, (3, 3), 6, pads=(1, 1, 1, 1), mode=mode, plain=True)
        check(d.graph("y"), 2)


@pytest.mark.parametrize("batch", [(), (2,), (3, 2)])
def test_matrix_products(batch):
    for m, k, n in ((1, 9, 7), (1, 16, 30), (5, 3, 1), (6, 8, 8), (7, 5, 12), (13, 17, 6)):
        d = Whole()
        x = d.steps(d.input("x", *batch, m, k), -64, 63)
        mid = d.product("matmul", "mid", x, k, n, lo=-64, hi=63)
        d.product("matmul", "y", mid, n, 5, plain=True)
        check(d.graph("y"), 2)


def test_readers_of_other_kinds_get_f32():
    d = Whole()
    x = d.steps(d.input("x", 1, 9, 7, 10))
    mid = d.convolution("mid", x, (3, 3), 10)
    last = d.convolution("last", mid, (1, 1), 10, residual=mid, plain=True)
    pooled = d.node("pool2d", "pooled", mid, kind="max", kernel=(3, 3), strides=(1, 1),
                    pads=(1,) * 4, dilations=(1, 1), count_include_pad=False, size=(9, 7))
    d.node("pointwise", "y", pooled, last, expr=inp(0) - inp(1))
    check(d.graph("y"), 2)


def test_what_does_not_fit_stays_in_f32():
    for lo, hi in ((0, 128), (-1, 127)):
        d = Whole()
        mid = d.convolution("mid", d.steps(d.input("x", 1, 3, 5, 8)), (1, 1), 8, lo=lo, hi=hi)
        d.convolution("y", mid, (1, 1), 5, plain=True)
        graph = d.graph("y")
        marked = wasm_int8.mark(graph, "u8", graph.constants)
        assert ["dot" in n.attrs.told() for n in marked.nodes] == [False, True, False]
        bytes_of_one = wasm_int8.mark(graph, "i16", ["y.w"])  # the other's weights are not bytes
        assert ["dot" in n.attrs.told() for n in bytes_of_one.nodes] == [False, False, True]


@pytest.mark.parametrize("case", [quantized_block, quantized_around_floats])
def test_quantized_models_run_on_their_own_integers(case):
    """Bit for bit as the program that holds them in f32."""
    graph = run_passes(case(), lambda where, reason: None)
    feeds = [np.random.default_rng(6).standard_normal(graph.shape(n)) for n in graph.inputs]
    marked = wasm_int8.mark(graph, "i16", graph.constants)
    plain = wasm.build(graph)
    pairs = wasm_int8.build(marked, wasm_int8.INTEGERS[1], graph.constants)
    assert pairs.about.work["i16"] > 0
    got = [WasmProgram(built.files[name][0], built.about, graph.constants).run(feeds)
           for built, name in ((plain, "simd128"), (pairs, "int16-simd128"))]
    for ours, theirs in zip(*got, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_arithmetic_on_activations_rounded_by_range():
    """Values that keep their place on a grid of 127 steps cost a few steps of it."""
    d = Draw()
    x = d.node("pointwise", "x0", d.input("x", 1, 9, 7, 8), expr=call("tanh", inp(0)))
    first = d.conv("first", x, 3, 24, pad=1)
    second = d.conv("second", first, 1, 24)
    kept = d.node("pointwise", "kept", second, first, expr=call("max", inp(0) + inp(1), 0.0))
    d.conv("y", kept, 1, 5)
    graph = run_passes(d.graph("y"), lambda where, reason: None)
    layers = {n.name for n in graph.nodes if n.op == "conv2d"}
    steps = {n.inputs[1]: (np.rint(graph.constants[n.inputs[1]] * 32),
                           np.full(graph.shape(n.name)[3], 1 / 32, np.float32))
             for n in graph.nodes if n.op == "conv2d"}
    rounded_weights = {w: q * s for w, (q, s) in steps.items()}
    plain = replace(graph, constants={**graph.constants, **rounded_weights})
    ranges: dict = {}
    feeds = sample_inputs(plain)
    interpret(plain, feeds, lambda node, operands, results: ranges.update(
        {node.name: (results[0].min(), results[0].max())}))
    for levels, limit in ((127, 0.03), (2047, 0.002)):
        whole = quantize_activations(plain, layers, ranges, steps, levels)
        assert len(whole_values(whole)) >= 3
        assert 0 < distance(plain, whole, feeds) < limit
