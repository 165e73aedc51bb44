"""Small graphs for tests of passes: PASS_CASES[pass name][case name] draws one."""

import numpy as np
from onnxpress.graph.expr import Expr, call, const, inp
from onnxpress.graph.graph import Graph
from onnxpress.ops.attrs import Quant
from onnxpress.ops.pointwise import dequantize, quantize
from support.graphs import Draw

RELU = call("max", inp(0), 0)
ADD = inp(0) + inp(1)
MUL = inp(0) * inp(1)
SWISH = inp(0) / (1 + call("exp", -inp(0)))


def pointwise(d: Draw, name: str, expr: Expr, *inputs: str) -> str:
    return d.node("pointwise", name, *inputs, expr=expr)


# --- layout ---------------------------------------------------------------------------------------


def between_convolutions() -> Graph:
    d = Draw()
    y = d.nchw_conv("first", d.input("x", 1, 3, 8, 8), 3, 4)
    y = pointwise(d, "scaled", MUL, y, d.weights("scale", 1, 4, 1, 1))
    return d.graph(d.nchw_conv("second", pointwise(d, "relu", RELU, y), 3, 4))


def residual_of_the_input() -> Graph:
    d = Draw()
    x = d.input("x", 1, 4, 8, 8)
    return d.graph(pointwise(d, "sum", ADD, d.nchw_conv("conv", x, 3, 4, pad=1), x))


def axes_renamed() -> Graph:
    d = Draw()
    y = d.nchw_conv("conv", d.input("x", 1, 3, 8, 8), 3, 4)
    y = d.node("pad", "pad", y, before=(0, 0, 1, 2), after=(0, 0, 0, 1), mode="edge")
    y = d.node("concat", "joined", y, pointwise(d, "relu", RELU, y), axis=1)
    y = d.node("slice", "cut", y, starts=(0, 1, 0, 8), steps=(1, 2, 1, -1), shape=(1, 3, 7, 5))
    y = d.node("softmax", "soft", y, axis=1, log=False)
    d.node("argmax", "best", y, axis=1, select_last=False, largest=True)
    return d.graph("best", d.node("reduce", "mean", y, kind="mean", axes=(2, 3)))


def channel_shuffle() -> Graph:
    d = Draw()
    y = d.nchw_conv("first", d.input("x", 2, 3, 4, 4), 1, 6)
    y = d.node("reshape", "split", y, shape=(2, 2, 3, 4, 4))
    y = d.node("transpose", "swap", y, perm=(0, 2, 1, 3, 4))
    y = d.node("reshape", "merge", y, shape=(2, 6, 4, 4))
    return d.graph(d.nchw_conv("second", y, 1, 4, groups=2))


def flatten_before_matmul() -> Graph:
    d = Draw()
    y = d.nchw_conv("conv", d.input("x", 2, 3, 4, 4), 3, 5)
    y = d.node("reshape", "flat", y, shape=(2, 20))
    return d.graph(d.node("matmul", "fc", y, d.weights("w", 20, 6), d.weights("b", 6)))


def flatten_read_twice() -> Graph:
    d = Draw()
    y = d.nchw_conv("conv", d.input("x", 1, 3, 4, 4), 3, 5)
    y = d.node("reshape", "flat", y, shape=(1, 20))
    d.node("matmul", "fc", y, d.weights("w", 20, 6), d.weights("b", 6))
    return d.graph("fc", pointwise(d, "relu", RELU, y))


def axes_of_length_one() -> Graph:
    d = Draw()
    y = d.nchw_conv("conv", d.input("x", 1, 1, 6, 6), 3, 5)
    y = d.node("reduce", "mean", y, kind="mean", axes=(2, 3))
    return d.graph(d.node("reshape", "flat", y, shape=(1, 5)))


def patches_to_tokens() -> Graph:
    d = Draw()
    y = d.nchw_conv("patches", d.input("x", 1, 3, 8, 8), 4, 6, stride=4)
    y = d.node("reshape", "flat", y, shape=(1, 6, 4))
    y = d.node("transpose", "tokens", y, perm=(0, 2, 1))
    return d.graph(d.node("matmul", "fc", y, d.weights("w", 6, 5), d.weights("b", 5)))


def attention() -> Graph:
    d = Draw()
    x = d.input("x", 1, 5, 8)
    zero = d.constant("zero", np.zeros(5))
    heads = []
    for name in "qkv":
        y = d.node("matmul", name, x, d.weights(f"{name}.w", 8, 8), d.weights(f"{name}.b", 8))
        y = d.node("reshape", f"{name}.split", y, shape=(1, 5, 2, 4))
        perm = (0, 2, 3, 1) if name == "k" else (0, 2, 1, 3)
        heads.append(d.node("transpose", f"{name}.heads", y, perm=perm))
    q, k, v = heads
    y = d.node("matmul", "scores", pointwise(d, "scaled", inp(0) * 0.5, q), k, zero)
    y = d.node("matmul", "mixed", d.node("softmax", "soft", y, axis=3, log=False), v,
               d.constant("none", np.zeros(4)))
    y = d.node("transpose", "back", y, perm=(0, 2, 1, 3))
    return d.graph(d.node("reshape", "out", y, shape=(1, 5, 8)))


def padded_input() -> Graph:
    d = Draw()
    x = pointwise(d, "centred", inp(0) - inp(1), d.input("x", 1, 3, 8, 8),
                  d.weights("mean", 1, 3, 1, 1))
    y = d.node("pad", "pad", x, before=(0, 0, 1, 1), after=(0, 0, 1, 1), mode="reflect")
    return d.graph(d.conv("conv", d.node("transpose", "nhwc", y, perm=(0, 2, 3, 1)), 3, 4))


def shared_pad() -> Graph:
    d = Draw()
    y = d.node("pad", "pad", d.input("x", 1, 3, 8, 8), before=(0, 0, 1, 1), after=(0, 0, 1, 1),
               mode="reflect")
    d.conv("conv", d.node("transpose", "nhwc", y, perm=(0, 2, 3, 1)), 3, 4)
    return d.graph("conv", "pad")


def reshapes_in_a_row() -> Graph:
    d = Draw()
    x = pointwise(d, "relu", RELU, d.input("x", 2, 6))
    y = d.node("reshape", "a", x, shape=(3, 4))
    return d.graph(d.node("reshape", "b", y, shape=(2, 6)), d.node("reshape", "c", y, shape=(12,)))


def convolution_in_one_dimension() -> Graph:
    d = Draw()
    y = d.conv("conv", d.input("x", 1, 1, 9, 3), 1, 4)
    y = d.node("reshape", "line", y, shape=(1, 9, 4))
    y = pointwise(d, "norm", MUL, y, d.weights("s", 1, 1, 4))
    y = pointwise(d, "relu", RELU, pointwise(d, "sum", ADD, y, d.input("r", 1, 9, 4)))
    y = d.node("reshape", "image", y, shape=(1, 1, 9, 4))
    return d.graph(d.conv("next", y, 1, 2))


def scale_of_attention() -> Graph:
    d = Draw()
    y = d.node("matmul", "q", d.input("x", 5, 8), d.weights("w", 8, 8), d.weights("b", 8))
    heads = d.node("reshape", "heads", y, shape=(5, 2, 4))
    scaled = pointwise(d, "scaled", inp(0) * 0.5, heads)
    return d.graph(pointwise(d, "own", MUL, scaled, d.weights("per_head", 2, 1)))


def the_same_twice() -> Graph:
    d = Draw()
    x = d.input("x", 2, 6)
    a, b = pointwise(d, "a", RELU, x), pointwise(d, "b", RELU, x)
    return d.graph(pointwise(d, "c", ADD, a, b), pointwise(d, "d", ADD, b, b))


# --- constants ------------------------------------------------------------------------------------


def constant_subgraph() -> Graph:
    d = Draw()
    row = pointwise(d, "row", inp(0) * 2, d.weights("w", 1, 6))
    big = d.node("expand", "big", row, shape=(1000, 6))
    return d.graph(pointwise(d, "y", inp(0) + inp(1) * inp(2), d.input("x", 1000, 6), row, big))


def expressions() -> Graph:
    d = Draw()
    x, two = d.input("x", 2, 6), d.constant("two", [[2.0]])
    y = pointwise(d, "a", (inp(0) * 1 + 0) / inp(1), x, two)
    y = pointwise(d, "b", call("min", call("min", call("max", inp(0), -np.inf), 6.0), 4.0), y)
    y = pointwise(d, "c", call("pow", call("abs", inp(0)), 0.5) + call("pow", inp(0), 2), y)
    y = pointwise(d, "d", inp(0) * 1, y)
    return d.graph(pointwise(d, "e", call("select", const(1), call("neg", -inp(0)), inp(1)), y, x))



def affine_operands() -> Graph:
    d = Draw()
    s, t, u = (d.weights(n, 4) for n in "stu")
    chain = ((inp(0) - inp(1)) * inp(2) + inp(3)) / (inp(3) + 9)
    y = pointwise(d, "y", call("max", chain, 0), d.input("x", 2, 4), s, t, u)
    return d.graph(pointwise(d, "z", call("round", (inp(0) + inp(1)) + inp(1)), y, s))


def batch_norm_behind() -> Graph:
    d = Draw()
    y = d.conv("conv", d.input("x", 1, 8, 8, 4), 3, 6, groups=2)
    y = pointwise(d, "norm", inp(0) * inp(1) + inp(2), y, d.weights("s", 6), d.weights("t", 6))
    y = pointwise(d, "scale", MUL, y, d.weights("u", 1, 1, 1, 6))
    return d.graph(pointwise(d, "relu", RELU, y))


def batch_norm_before() -> Graph:
    d = Draw()
    x = d.input("x", 1, 8, 8, 4)
    norm, s, t = inp(0) * inp(1) + inp(2), d.weights("s", 4), d.weights("t", 4)
    a = d.conv("folded", pointwise(d, "n1", norm, x, s, t), 3, 6, groups=2)
    b = d.conv("refused", pointwise(d, "n2", norm, x, s, t), 3, 6, pad=1)
    c = d.conv("scaled", pointwise(d, "n3", MUL, x, s), 3, 6, pad=1)
    y = pointwise(d, "n4", norm, x, s, t)
    return d.graph(a, b, c, d.node("matmul", "fc", y, d.weights("w", 4, 5), d.weights("b", 5)))


def shared_weights() -> Graph:
    d = Draw()
    x, w, b, s = d.input("x", 2, 4), d.weights("w", 4, 4), d.weights("b", 4), d.weights("s", 4)
    y = pointwise(d, "norm", MUL, d.node("matmul", "first", x, w, b), s)
    return d.graph(d.node("matmul", "second", y, w, b))


def mixtures_of_rows() -> Graph:
    d = Draw()
    choice = d.input("choice", 5)
    column = d.node("reshape", "column", choice, shape=(5, 1))
    row = d.node("reshape", "row", choice, shape=(1, 5))
    a = pointwise(d, "a.products", MUL, column, d.weights("a.rows", 5, 3))
    b = pointwise(d, "b.products", MUL, d.weights("b.rows", 3, 5), row)
    return d.graph(d.node("reduce", "a", a, kind="sum", axes=(0,)),
                   d.node("reduce", "b", b, kind="sum", axes=(1,)))


def products_of_a_row() -> Graph:
    d = Draw()
    x, rows = d.input("x", 1, 5), d.input("rows", 2, 5)
    w, b = d.weights("w", 5, 70), d.weights("b", 70)
    wide = d.node("matmul", "wide", x, w, b)
    again = d.node("matmul", "again", x, w, b)
    thin = d.node("matmul", "thin", x, d.weights("v", 5, 3), d.weights("c", 3))
    square = d.node("matmul", "square", rows, w, b)
    y = pointwise(d, "y", ADD, d.node("matmul", "out", x, w, b), wide)
    return d.graph(y, "out", pointwise(d, "z", MUL, square, again), pointwise(d, "t", RELU, thin))


# --- padding --------------------------------------------------------------------------------------


def pads_and_convolutions() -> Graph:
    d = Draw()
    x = d.input("x", 1, 8, 8, 4)
    sides = {"before": (0, 1, 2, 0), "after": (0, 0, 1, 0)}
    zeros = d.node("pad", "zeros", x, **sides, mode="constant", value=0.0)
    mirror = d.node("pad", "mirror", x, **sides, mode="reflect")
    ones = d.node("pad", "ones", x, **sides, mode="constant", value=1.0)
    deep = d.node("pad", "deep", x, before=(0, 0, 0, 1), after=(0,) * 4, mode="constant", value=0.0)
    return d.graph(d.conv("a", zeros, 3, 2, pad=1), d.conv("b", mirror, 3, 2),
                   d.conv("c", mirror, 3, 2, pad=1), d.conv("d", ones, 3, 2),
                   d.conv("e", deep, 3, 2))


def pads_and_pools() -> Graph:
    d = Draw()
    x = d.input("x", 1, 8, 8, 4)
    sides = {"before": (0, 1, 1, 0), "after": (0, 1, 1, 0), "mode": "constant", "value": 0.0}
    common = {"kernel": (3, 3), "strides": (2, 2), "pads": (0,) * 4, "dilations": (1, 1),
              "count_include_pad": False, "size": (4, 4)}
    positive = d.node("pad", "positive", pointwise(d, "relu", RELU, x), **sides)
    signed = d.node("pad", "signed", x, **sides)
    return d.graph(d.node("pool2d", "a", positive, kind="max", **common),
                   d.node("pool2d", "b", signed, kind="max", **common),
                   d.node("pool2d", "c", signed, kind="avg", **common))


def pads_and_pointwise() -> Graph:
    d = Draw()
    x = d.input("x", 1, 8, 8, 4)
    sides = {"before": (0, 1, 2, 0), "after": (0, 0, 1, 0)}
    mirror = d.node("pad", "mirror", x, **sides, mode="reflect")
    edge = d.node("pad", "edge", x, **sides, mode="edge")
    zeros = d.node("pad", "zeros", x, **sides, mode="constant", value=0.0)
    return d.graph(pointwise(d, "a", inp(0) * inp(1) + 1, mirror, d.weights("s", 4)),
                   pointwise(d, "b", MUL, edge, d.weights("rows", 9, 1, 1)),
                   pointwise(d, "c", call("exp", inp(0)), zeros))


# --- normalization --------------------------------------------------------------------------------


def moments(d: Draw, x: str, axes: tuple[int, ...]) -> tuple[str, str, str]:
    """(x - mean, mean, sqrt(variance + eps)) as exporters write them."""
    mean = d.node("reduce", "mean", x, kind="mean", axes=axes)
    centred = pointwise(d, "centred", inp(0) - inp(1), x, mean)
    square = pointwise(d, "square", inp(0) * inp(0), centred)
    variance = d.node("reduce", "variance", square, kind="mean", axes=axes)
    return centred, mean, pointwise(d, "root", call("sqrt", inp(0) + 1e-5), variance)


def instance_norm() -> Graph:
    d = Draw()
    centred, _, root = moments(d, d.input("x", 1, 8, 8, 4), (1, 2))
    y = pointwise(d, "unit", MUL, centred, pointwise(d, "rate", 1 / inp(0), root))
    y = pointwise(d, "scaled", MUL, y, d.input("gamma", 1, 1, 1, 4))
    y = pointwise(d, "shifted", ADD, y, d.input("beta", 1, 1, 1, 4))
    return d.graph(pointwise(d, "relu", RELU, y))


def layer_norm() -> Graph:
    d = Draw()
    centred, _, root = moments(d, d.input("x", 2, 5, 8), (2,))
    y = pointwise(d, "unit", inp(0) / inp(1), centred, root)
    return d.graph(pointwise(d, "scaled", MUL, y, d.weights("gamma", 8)))


def tensorflow_norm() -> Graph:
    d = Draw()
    x = d.input("x", 1, 8, 8, 4)
    _, mean, root = moments(d, x, (1, 2))
    rate = pointwise(d, "rate", inp(1) / inp(0), root, d.weights("gamma", 1, 1, 1, 4))
    beta = d.weights("beta", 1, 1, 1, 4)
    shift = pointwise(d, "shift", inp(0) - inp(1) * inp(2), beta, mean, rate)
    return d.graph(pointwise(d, "y", inp(0) * inp(1) + inp(2), x, rate, shift))


def residual_is_no_shift() -> Graph:
    d = Draw()
    x = d.input("x", 1, 8, 8, 4)
    centred, _, root = moments(d, x, (1, 2))
    return d.graph(pointwise(d, "y", inp(0) / inp(1) + inp(2), centred, root, x))


def root_mean_square() -> Graph:
    d = Draw()
    x = d.input("x", 2, 8)
    square = pointwise(d, "xx", inp(0) * inp(0), x)
    square = d.node("reduce", "square", square, kind="mean", axes=(1,))
    return d.graph(pointwise(d, "y", inp(0) / call("sqrt", inp(1) + 1e-5), x, square))


# --- fusion ---------------------------------------------------------------------------------------


def pointwise_chain() -> Graph:
    d = Draw()
    x, v = d.input("x", 2, 6), d.input("v", 6)
    gate = pointwise(d, "gate", 1 / (1 + call("exp", -inp(0))), v)
    half = pointwise(d, "half", inp(0) * 0.5, x)
    y = pointwise(d, "sum", ADD, pointwise(d, "swish", SWISH, x), half)
    return d.graph(pointwise(d, "gated", MUL, pointwise(d, "relu", RELU, y), gate))


def costly_twice() -> Graph:
    d = Draw()
    gelu = inp(0) * (1 + call("erf", inp(0) * 0.7)) * 0.5
    y = pointwise(d, "gelu", gelu, d.input("x", 2, 6))
    return d.graph(pointwise(d, "square", inp(0) * inp(0), y))


def cheap_and_shared() -> Graph:
    d = Draw()
    y = pointwise(d, "relu", RELU, d.input("x", 2, 6))
    return d.graph(pointwise(d, "a", inp(0) + 1, y), pointwise(d, "b", inp(0) * 2, y))


def keeps_an_epilogue() -> Graph:
    d = Draw()
    y = pointwise(d, "relu", RELU, d.conv("conv", d.input("x", 1, 4, 4, 3), 1, 4))
    return d.graph(pointwise(d, "masked", MUL, y, d.input("mask", 1, 4, 4, 1)))


def residual_block() -> Graph:
    d = Draw()
    x = d.input("x", 1, 4, 4, 3)
    a, b = d.conv("main", x, 3, 4, pad=1), d.conv("shortcut", x, 1, 4)
    y = pointwise(d, "sum", ADD, a, b)
    y = pointwise(d, "scaled", MUL, pointwise(d, "relu", RELU, y), d.input("s", 1, 1, 1, 4))
    z = pointwise(d, "more", MUL, d.conv("other", y, 1, 4), d.input("mask", 1, 4, 4, 1))
    return d.graph(z)


def shared_result() -> Graph:
    d = Draw()
    y = d.node("matmul", "fc", d.input("x", 2, 6), d.weights("w", 6, 4), d.weights("b", 4))
    return d.graph(pointwise(d, "relu", RELU, y), pointwise(d, "neg", -inp(0), y))


# --- transposed convolutions ----------------------------------------------------------------------


def transposed(d: Draw, name: str, x: str, kernel: int, pads: tuple[int, ...], *extras: str,
               dilation: int = 1, groups: int = 1, **attrs: Expr) -> str:
    """A convolution with seeded weights for four channels of the spread image `x`."""
    c = d.values[x].shape[3]
    return d.node("conv2d", name, x, d.weights(f"{name}.w", kernel, kernel, c // groups, 4),
                  d.weights(f"{name}.b", 4), *extras, strides=(1, 1), pads=pads,
                  dilations=(dilation,) * 2, groups=groups, pad_mode="zero", **attrs)


def spread(d: Draw) -> str:
    return d.node("upsample_zero", "spread", d.input("x", 1, 3, 3, 4), strides=(2, 2))


def phases_of_one_convolution() -> Graph:
    d = Draw()
    x, slopes = spread(d), d.weights("slopes", 1, 1, 1, 4)
    a = transposed(d, "product", x, 2, (1,) * 4, slopes, epilogue=call("max", MUL, 0))
    return d.graph(a, transposed(d, "cropped", x, 4, (2,) * 4))


def phases_apart() -> Graph:
    d = Draw()
    x, gate = spread(d), d.input("gate", 1, 1, 1, 4)
    a = transposed(d, "odd", x, 3, (1, 1, 2, 2), gate, epilogue=MUL)
    return d.graph(a, transposed(d, "depthwise", x, 2, (1,) * 4, groups=4))


def operands_of_the_output() -> Graph:
    d = Draw()
    x = spread(d)
    a = transposed(d, "residual", x, 2, (1,) * 4, d.input("r", 1, 6, 6, 4), epilogue=ADD)
    b = transposed(d, "gated", x, 2, (1,) * 4, d.input("gate", 1, 1, 1, 4), epilogue=MUL)
    return d.graph(a, b, transposed(d, "dilated", x, 2, (2,) * 4, dilation=2))


# --- quantized models -----------------------------------------------------------------------------


def quantized(d: Draw, name: str, x: str, scale: float, zero: int = 0, dtype: str = "i8") -> str:
    """x through quantize and dequantize, per tensor."""
    names = [d.constant(f"{name}.scale", scale)]
    names += [d.constant(f"{name}.zero", zero)] if zero else []
    zero_name = names[1] if zero else None
    lo, hi = (-128, 127) if dtype == "i8" else (0, 255)
    forth = quantize(inp(0), inp(1), inp(2) if zero else None, lo=lo, hi=hi)
    back = dequantize(inp(0), inp(1), inp(2) if zero else None)
    y = d.node("pointwise", f"{name}.q", x, *names, dtype=dtype, expr=forth,
               quant=Quant("quantize", names[0], zero_name, None))
    return d.node("pointwise", name, y, *names, expr=back,
                  quant=Quant("dequantize", names[0], zero_name, None))


def integers(d: Draw, name: str, shape: tuple[int, ...], top: int, scale: np.ndarray) -> str:
    """A dequantized constant, with a scale per channel of its last axis."""
    values = d.constant(f"{name}.int", d.random.integers(-top, top, shape))
    factor = d.constant(f"{name}.scale", scale.reshape((1,) * (len(shape) - 1) + (-1,)))
    quant = Quant("dequantize", factor, None, len(shape) - 1)
    return d.node("pointwise", name, values, factor, expr=MUL, quant=quant)


def quantized_conv(d: Draw, name: str, x: str, scale: float, o: int) -> str:
    c, unit = d.values[x].shape[3], np.linspace(0.5, 1.5, o, dtype=np.float32) / 64
    w = integers(d, f"{name}.w", (3, 3, c, o), 127, unit)
    b = integers(d, f"{name}.b", (o,), 4000, np.float32(scale) * unit)
    return d.node("conv2d", name, x, w, b, strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1),
                  groups=1, pad_mode="zero")


def quantized_block() -> Graph:
    d = Draw()
    x = quantized(d, "x8", d.input("x", 1, 6, 6, 4), 0.031, 3)
    y = pointwise(d, "relu", RELU, quantized_conv(d, "conv", x, 0.031, 4))
    y = quantized(d, "y8", y, 0.37, -128)
    y = quantized(d, "sum8", pointwise(d, "sum", ADD, x, y), 0.53, -5)
    y = d.node("pool2d", "pool", y, kind="max", kernel=(2, 2), strides=(2, 2), pads=(0,) * 4,
               dilations=(1, 1), count_include_pad=False, size=(3, 3))
    y = quantized(d, "pool8", y, 0.53, -5)
    mean = d.node("reduce", "mean", y, kind="mean", axes=(1, 2))
    y = pointwise(d, "product", MUL, y, quantized(d, "mean8", mean, 0.39))
    return d.graph(quantized(d, "out8", y, 7.7))


def quantized_around_floats() -> Graph:
    d = Draw()
    x = quantized(d, "x8", d.input("x", 1, 6, 6, 4), 1 / 32, 3)
    y = pointwise(d, "root", call("sqrt", call("abs", inp(0))), x)
    y = quantized(d, "y8", y, 1 / 64)
    return d.graph("x8.q", quantized_conv(d, "conv", y, 1 / 64, 4),
                   d.node("softmax", "soft", x, axis=3, log=False))


def quantized_input() -> Graph:
    """An NCHW input that is quantized before anything else."""
    d = Draw()
    quantized(d, "x8", d.input("x", 1, 4, 6, 6), 1 / 32, 3)
    dequantized = d.nodes.pop()
    moved = d.node("transpose", "moved", "x8.q", perm=(0, 2, 3, 1))
    x = d.node("pointwise", "x8.moved", moved, *dequantized.inputs[1:], **dequantized.attrs.told())
    del d.values["x8"]
    return d.graph(quantized_conv(d, "conv", x, 1 / 32, 4))


PASS_CASES = {
    "sink_transposes": (
        between_convolutions, residual_of_the_input, axes_renamed, channel_shuffle,
        flatten_before_matmul, flatten_read_twice, axes_of_length_one, patches_to_tokens, attention,
    ),
    "hoist_transposes": (padded_input, shared_pad, quantized_input),
    "recover_matmul": (mixtures_of_rows,),
    "merge_reshapes": (reshapes_in_a_row,),
    "sink_reshapes": (convolution_in_one_dimension, scale_of_attention),
    "merge_duplicates": (the_same_twice,),
    "fold_constants": (constant_subgraph,),
    "simplify_expressions": (expressions,),
    "fold_operands": (affine_operands,),
    "fold_affine": (batch_norm_behind, batch_norm_before, shared_weights),
    "sink_pads": (pads_and_pointwise,),
    "fold_pad": (pads_and_convolutions, pads_and_pools),
    "lower_qdq": (quantized_block, quantized_around_floats),
    "fuse_normalize": (
        instance_norm, layer_norm, tensorflow_norm, residual_is_no_shift, root_mean_square,
    ),
    "fuse_pointwise": (pointwise_chain, costly_twice, cheap_and_shared, keeps_an_epilogue),
    "fuse_epilogue": (residual_block, shared_result),
    "split_phases": (phases_of_one_convolution, phases_apart, operands_of_the_output),
    "merge_products": (products_of_a_row,),
}
