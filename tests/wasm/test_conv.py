"""Convolutions and matrix products in WebAssembly: whole programs in wasmtime, both instruction
sets, against the float64 interpreter; what no buffer owns must stay as it was.

Sizes stand below, at, above and odd against the tiles: 6 pixels x 8 channels, 12 x 4, depthwise
blocks of up to 8 outputs, Winograd tiles of 4 x 4.
"""

from itertools import product

import numpy as np
import pytest
from onnxpress.emit.layout import round_up
from onnxpress.emit.wasm.gemm import TILES_4, TILES_8, cover
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph
from onnxpress.kernels.conv2d import wasm as conv_wasm
from onnxpress.kernels.conv2d.wasm.conv import conv_of
from onnxpress.kernels.conv2d.wasm.depthwise import DEPTHWISE
from onnxpress.kernels.conv2d.wasm.product import PRODUCT
from onnxpress.kernels.conv2d.wasm.spread import SPREAD
from onnxpress.kernels.conv2d.wasm.vector import VECTOR
from onnxpress.kernels.conv2d.wasm.winograd import WINOGRAD
from support.graphs import Draw
from support.wasm_programs import check

EPSILON = 2.0**-23
VECTOR_REGISTERS = 15  # that V8 and SpiderMonkey allocate on x86-64
RELU = call("max", inp(0), 0.0)
RESIDUAL = call("max", inp(0) + inp(1), 0.0)
SCALED = call("max", inp(0) * inp(1) + inp(2), -0.5)
EPILOGUES = {"none": (None, ""), "relu": (RELU, ""), "residual": (RESIDUAL, "r"),
             "scaled": (SCALED, "cr")}


def conv(x: tuple, o: int, kernel: tuple, strides=(1, 1), pads=None, dilations=(1, 1), groups=1,
         mode="zero", epilogue="none", computed=False, **attrs) -> Graph:
    """x[N,H,W,C] through one convolution; default pads keep the size."""
    d = Draw()
    if pads is None:
        (top, left) = ((k - 1) * step // 2 for k, step in zip(kernel, dilations, strict=True))
        pads = (top, left, top, left)
    shape = (*kernel, x[3] // groups, o)
    names = [d.input("x", *x), d.input("w", *shape) if computed else d.weights("w", *shape),
             d.weights("b", o)]
    expr, extras = EPILOGUES[epilogue]
    attrs |= {"strides": strides, "pads": pads, "dilations": dilations, "groups": groups,
              "pad_mode": mode}
    d.node("conv2d", "probe", *names, **attrs)
    out = d.values["probe"].shape
    d.nodes.pop()
    names += [d.weights("scale", o) if kind == "c" else d.input("r", *out) for kind in extras]
    d.node("conv2d", "y", *names, **attrs, **({"epilogue": expr} if expr else {}))
    del d.values["probe"]
    return d.graph("y")


def algorithm(graph: Graph):
    node = graph.nodes[0]
    constant = "w" in graph.constants
    return conv_wasm.algorithm(node, conv_of(node, graph.shape("x"), graph.shape("w"),
                                       graph.shape("y"), constant))


@pytest.mark.parametrize("c", [1, 2, 3, 4, 5, 8, 13, 16, 32])
def test_channels_in_and_out(c):
    for o, kernel in product((1, 3, 4, 5, 8, 12, 17, 26, 64), ((1, 1), (3, 3))):
        check(conv((1, 3, 5, c), o, kernel))


@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 25, 49])
def test_pixels_against_the_tile(pixels):
    for n, o in ((1, 12), (2, 5)):
        check(conv((n, 1, pixels, 9), o, (1, 3), epilogue="scaled"))
        check(conv((n, pixels, 1, 8), o, (3, 1), epilogue="residual"))


@pytest.mark.parametrize("mode", ["zero", "reflect", "edge"])
@pytest.mark.parametrize("strides,dilations,pads", [
    ((2, 2), (1, 1), (1, 1, 1, 1)), ((2, 1), (1, 2), (0, 1, 2, 3)), ((3, 3), (2, 2), (2, 2, 1, 0)),
    ((1, 3), (2, 3), (3, 0, 0, 2)), ((1, 1), (1, 1), (0, 2, 1, 0)),
])
def test_strides_dilations_and_asymmetric_pads(strides, dilations, pads, mode):
    for c, o, groups in ((3, 8, 1), (8, 17, 1), (12, 12, 12), (16, 3, 1)):
        check(conv((2, 11, 9, c), o, (3, 3), strides, pads, dilations, groups, mode, "relu"))


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (7, 7), (1, 9), (3, 1)])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise(kernel, stride):
    for width, c in product((1, 3, 4, 7, 9, 17), (2, 8, 13)):
        graph = conv((2, 10, width, c), c, kernel, (stride, stride), groups=c, epilogue="scaled")
        assert algorithm(graph) is DEPTHWISE
        check(graph)


@pytest.mark.parametrize("groups,each_in,each_out", [
    (2, 4, 8), (3, 5, 4), (4, 3, 3), (3, 3, 5), (8, 1, 2), (5, 1, 3), (4, 8, 20), (6, 2, 1),
])
def test_groups(groups, each_in, each_out):
    x = (2, 5, 7, groups * each_in)
    check(conv(x, groups * each_out, (3, 3), groups=groups, epilogue="scaled"))
    check(conv(x, groups * each_out, (3, 3), groups=groups, computed=True))


@pytest.mark.parametrize("size", [(14, 14), (16, 20), (15, 17), (19, 14), (8, 300)])
@pytest.mark.parametrize("c,o", [(32, 32), (36, 20), (33, 29)])
def test_winograd(size, c, o):
    for n, mode, epilogue in ((1, "zero", "scaled"), (2, "reflect", "residual")):
        graph = conv((n, *size, c), o, (3, 3), mode=mode, epilogue=epilogue)
        assert algorithm(graph) is WINOGRAD
        check(graph)


@pytest.mark.parametrize("kernel", [(2, 2), (2, 3), (3, 2)])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 0, 0, 1), (1, 1, 1, 1)])
def test_winograd_of_smaller_kernels(kernel, pads):
    for size, c, o in (((29, 33), 64, 64), ((30, 41), 70, 65)):
        graph = conv((1, *size, c), o, kernel, pads=pads, epilogue="scaled")
        assert algorithm(graph) is WINOGRAD
        check(graph)


def test_exact_nodes_avoid_winograd():
    graph = conv((1, 14, 14, 32), 32, (3, 3), exact=True)
    assert algorithm(graph) is PRODUCT
    check(graph)


@pytest.mark.parametrize("o", [1, 2, 3, 5, 6])
def test_few_outputs(o):
    for kernel, dilation, strides in ((9, 1, (1, 1)), (7, 2, (2, 1))):
        graph = conv((2, 13, 120, 12), o, (kernel, kernel), strides, dilations=(1, dilation),
                     epilogue="scaled")
        assert algorithm(graph) is SPREAD
        check(graph)


@pytest.mark.parametrize("c,o", [(1, 1), (8, 16), (9, 5), (13, 7), (40, 1001)])
@pytest.mark.parametrize("computed", [False, True])
def test_one_pixel(c, o, computed):
    graph = conv((2, 1, 1, c), o, (1, 1), epilogue="scaled", computed=computed)
    assert algorithm(graph) is VECTOR
    check(graph)


@pytest.mark.parametrize("c", [5, 8, 32])
def test_halos_stay_zero_along_a_chain(c):
    d = Draw()
    x = d.input("x", 2, 15, 14, 3)
    first = d.conv("first", x, 3, c, pad=1)
    wide = d.conv("wide", first, 5, c, pad=2, groups=c)
    again = d.conv("again", wide, 3, c, pad=1)
    w, b = d.weights("last.w", 3, 3, c, 6), d.weights("last.b", 6)
    same = d.node("conv2d", "same", again, d.weights("same.w", 1, 1, c, c), d.weights("same.b", c),
                  first, strides=(1, 1), pads=(0,) * 4, dilations=(1, 1), groups=1,
                  pad_mode="zero", epilogue=RESIDUAL)
    d.node("conv2d", "y", same, w, b, strides=(2, 2), pads=(1,) * 4, dilations=(1, 1), groups=1,
           pad_mode="edge")
    check(d.graph("y"))


@pytest.mark.parametrize("batches", [((), ()), ((2,), ()), ((3, 2), (2,)), ((), (2,)),
                                     ((1, 4), (3, 1)), ((2, 1, 3), (1, 2, 1))])
@pytest.mark.parametrize("constant", [True, False])
def test_matmul(batches, constant):
    a_batch, b_batch = batches
    for m, k, n in ((1, 9, 7), (1, 16, 30), (5, 3, 1), (6, 8, 8), (7, 5, 12), (13, 17, 6),
                    (4, 1, 3)):
        d = Draw()
        a = d.input("a", *a_batch, m, k)
        b = d.weights("b", *b_batch, k, n) if constant else d.input("b", *b_batch, k, n)
        out = (*np.broadcast_shapes(a_batch, b_batch), m, n)
        extras = [d.weights("scale", n), d.input("r", *out)]
        d.node("matmul", "y", a, b, d.weights("bias", n), *extras, epilogue=SCALED)
        check(d.graph("y"))


def test_tiles_fit_the_registers():
    for tiles, lanes in ((TILES_8, 8), (TILES_4, 4)):
        for rows in tiles:
            assert (rows + 1) * lanes // 4 + 1 <= VECTOR_REGISTERS


@pytest.mark.parametrize("tiles", [TILES_8, TILES_4])
def test_tiles_cover_every_pixel(tiles):
    for pixels in range(1, 400):
        calls = cover(pixels, tiles)
        assert sum(count for _, count in calls) == pixels
        assert sum(round_up(count, rows) for rows, count in calls) < pixels + max(tiles)
