"""The JavaScript target: each kernel on awkward shapes, against the float64 reference."""

from dataclasses import replace

import numpy as np
import pytest
from onnxpress.emit.js.module import assign, number
from onnxpress.errors import PlanError
from onnxpress.graph.expr import PRIMS, call, evaluate, inp
from onnxpress.ops.conv import Conv2dChain
from onnxpress.ops.interpret import interpret
from onnxpress.programs.js import build
from support.graphs import Draw
from support.node import run_in_node
from support.winograd_error import magnitude

# Sums run in doubles, so an output differs from float64's by the f32 roundings of stored values:
# one for the output and one for each value between two kernels of a case.
ROUNDING = 2.0**-24
X = inp(0)
RELU6 = call("min", call("max", X, 0.0), 6.0)


def conv(d, x, kernel, o, stride=(1, 1), pads=(0, 0, 0, 0), dilation=(1, 1), groups=1,
         mode="zero", extras=(), name="y", w=None, **attrs):
    c = d.values[x].shape[3]
    w = w or d.weights(f"{name}.w", *kernel, c // groups, o)
    b = d.weights(f"{name}.b", o)
    return d.node("conv2d", name, x, w, b, *extras, strides=stride, pads=pads,
                  dilations=dilation, groups=groups, pad_mode=mode, **attrs)


def image(d, *shape, name="x"):
    """An input behind a kernel, so that it may have any layout."""
    return d.node("pointwise", f"{name}.0", d.input(name, *shape), expr=X)


def pool(kind, kernel, strides, pads, size, dilations=(1, 1), padded=False, shape=(2, 7, 6, 5)):
    return lambda d: d.node("pool2d", "y", image(d, *shape), kind=kind, kernel=kernel,
                            strides=strides, pads=pads, dilations=dilations, size=size,
                            count_include_pad=padded)


def one(op, *shape, **attrs):
    return lambda d: d.node(op, "y", d.input("x", *shape), **attrs)


def residual_net(d):
    """A residual under reflection pads, whose halo the sum must not take for pixels."""
    x = image(d, 2, 5, 6, 4)
    a = conv(d, x, (3, 3), 4, pads=(1, 1, 1, 1), mode="reflect", name="a")
    v = d.weights("v", 1, 1, 1, 4)
    s = conv(d, a, (3, 3), 4, pads=(1, 1, 1, 1), extras=(x, v), name="s",
             epilogue=call("max", (X + inp(1)) * inp(2), 0.0))
    t = conv(d, s, (3, 3), 6, pads=(2, 1, 0, 1), mode="edge", name="t")
    return conv(d, t, (3, 3), 6, pads=(1, 1, 1, 1), groups=6, extras=(t,), name="y",
                epilogue=X - inp(1))


def computed_weights(d):
    w = d.node("pointwise", "w", d.input("w0", 3, 2, 5, 7), expr=X * 0.5)
    return conv(d, image(d, 1, 6, 7, 5), (3, 2), 7, pads=(1, 0, 1, 1), w=w)


def matmul(a, b, constant=False, residual=False):
    def draw(d):
        left = d.input("a", *a)
        right = d.weights("b", *b) if constant else d.input("b", *b)
        bias = d.weights("bias", b[-1])
        if not residual:
            return d.node("matmul", "y", left, right, bias)
        plain = d.node("matmul", "p", left, right, bias)
        return d.node("matmul", "y", left, right, bias, plain, d.weights("v", b[-1]),
                      epilogue=X * inp(2) + inp(1))
    return draw


def normalize(shape, axes, scale, extras=()):
    def draw(d):
        x = image(d, *shape)
        more = [d.input(f"e{i}", *s) for i, s in enumerate(extras)]
        expr = RELU6 if not extras else call("max", X, 0.0) + inp(1)
        return d.node("normalize", "y", x, d.input("scale", *scale), d.weights("shift", *scale),
                      *more, axes=axes, eps=1e-5, epilogue=expr)
    return draw


def broadcast(d):
    x = image(d, 2, 3, 4, 5)
    s = conv(d, x, (3, 3), 5, pads=(1, 1, 1, 1), name="s")
    v = d.node("pointwise", "v", s, d.input("c", 4, 1), d.weights("k", 1, 1, 1, 5),
               d.input("e", 2, 3, 1, 1), d.weights("scalar"),
               expr=(X * inp(1) + inp(2)) / (call("abs", inp(3)) + 1.0) - inp(4))
    return conv(d, v, (1, 1), 3, name="y")


def taps(d):
    rows = (((0, 1, 1, 2), (0, 0, 1, 2), (1, 2, 0, 0)), ((.5, .25, .2, .05),) * 3)
    cols = (((0, 1), (1, 2), (2, 3), (3, 3), (0, 0)), ((.75, .25),) * 5)
    return d.node("resize2d", "y", image(d, 2, 3, 4, 3), rows=rows, cols=cols)


def nearest(d):
    rows = tuple((i // 2,) for i in range(6)), ((1.0,),) * 6
    cols = tuple((i // 3,) for i in range(12)), ((1.0,),) * 12
    big = d.node("resize2d", "big", image(d, 1, 3, 4, 5), rows=rows, cols=cols)
    return conv(d, big, (3, 3), 4, pads=(1, 1, 1, 1), mode="reflect")


def moves_into_halo(d):
    """Every copy between strided tensors: pads, concat, slice, zeros between pixels."""
    x = image(d, 1, 4, 5, 3)
    p = d.node("pad", "p", x, before=(0, 1, 0, 0), after=(0, 0, 2, 0), mode="constant", value=2.)
    r = d.node("pad", "r", x, before=(0, 0, 1, 0), after=(0, 1, 1, 0), mode="reflect")
    c = d.node("concat", "c", p, r, axis=3)
    s = d.node("slice", "s", c, shape=(1, 5, 4, 6), starts=(0, 4, 6, 0), steps=(1, -1, -2, 1))
    u = d.node("upsample_zero", "u", s, strides=(2, 3))
    i = d.node("interleave", "i", u, strides=(1, 2), starts=(0, 1), size=(9, 8))
    return conv(d, i, (3, 3), 5, pads=(1, 2, 1, 0), stride=(2, 1))


def joined(d):
    x = image(d, 1, 9, 7, 5)
    a, b = conv(d, x, (1, 1), 8, name="a"), conv(d, x, (3, 3), 12, pads=(1, 1, 1, 1), name="b")
    c = d.node("concat", "c", a, d.node("pointwise", "p", b, expr=RELU6), axis=3)
    return conv(d, c, (3, 3), 4, pads=(1, 1, 1, 1))


def gathered(d):
    at = d.constant("at", [[0, -1], [2, 1]])
    return d.node("gather", "y", d.input("x", 2, 4, 3), at, axis=1)


def reshaped(d):
    x = conv(d, image(d, 1, 4, 4, 6), (3, 3), 6, pads=(1, 1, 1, 1), name="a")
    flat = d.node("reshape", "flat", x, shape=(4, 24))
    return d.node("softmax", "y", flat, axis=1, log=False)


CASES = {
    "conv 3x3": lambda d: conv(d, image(d, 2, 7, 8, 3), (3, 3), 5, pads=(1, 1, 1, 1)),
    "conv 1x1": lambda d: conv(d, image(d, 1, 5, 5, 8), (1, 1), 8, epilogue=RELU6),
    "conv stride": lambda d: conv(d, image(d, 1, 9, 8, 4), (3, 5), 6, (2, 3), (1, 2, 0, 1)),
    "conv dilated": lambda d: conv(d, image(d, 1, 9, 9, 2), (3, 3), 4, (1, 1), (2, 3, 2, 1),
                                   (2, 3)),
    "conv groups": lambda d: conv(d, image(d, 2, 5, 6, 6), (3, 3), 9, pads=(1, 1, 1, 1), groups=3),
    "conv multiplier": lambda d: conv(d, image(d, 1, 5, 5, 3), (3, 3), 6, pads=(1, 1, 1, 1),
                                      groups=3),
    "conv one pixel": lambda d: conv(d, image(d, 3, 1, 1, 10), (1, 1), 7),
    "conv vector": lambda d: conv(d, image(d, 1, 1, 9, 4), (1, 3), 3, pads=(0, 1, 0, 1)),
    "conv wide": lambda d: conv(d, image(d, 1, 70, 90, 8), (3, 3), 4, pads=(1, 1, 1, 1)),
    "winograd": lambda d: conv(d, image(d, 2, 9, 14, 8), (3, 3), 10, pads=(1, 1, 1, 1),
                               epilogue=RELU6),
    "winograd 2x2": lambda d: conv(d, image(d, 1, 9, 14, 32), (2, 2), 33, pads=(1, 0, 0, 1)),
    "winograd 2x3": lambda d: conv(d, image(d, 1, 9, 14, 16), (2, 3), 18, pads=(0, 1, 1, 1)),
    "winograd 3x2": lambda d: conv(d, image(d, 1, 9, 14, 16), (3, 2), 18, pads=(0, 1, 1, 1)),
    "winograd reflect": lambda d: conv(d, image(d, 1, 8, 11, 9), (3, 3), 9, pads=(1, 1, 1, 1),
                                       mode="reflect"),
    "winograd blocks": lambda d: conv(d, image(d, 1, 40, 34, 96), (3, 3), 33, pads=(0, 2, 0, 0)),
    "conv unread edge": lambda d: conv(d, image(d, 1, 8, 8, 2), (3, 3), 2, (2, 2), (1, 1, 1, 1)),
    "depthwise 3x3": lambda d: conv(d, image(d, 2, 6, 7, 5), (3, 3), 5, pads=(1, 1, 1, 1),
                                    groups=5, epilogue=RELU6),
    "depthwise stride": lambda d: conv(d, image(d, 1, 9, 11, 3), (5, 3), 3, (2, 2), (2, 1, 2, 1),
                                       groups=3),
    "depthwise narrow": lambda d: conv(d, image(d, 1, 4, 2, 4), (3, 3), 4, pads=(1, 1, 1, 1),
                                       groups=4),
    "depthwise dilated": lambda d: conv(d, image(d, 1, 8, 9, 3), (3, 3), 3, pads=(2, 2, 2, 2),
                                        dilation=(2, 2), groups=3, mode="reflect"),
    "depthwise huge": lambda d: conv(d, image(d, 1, 9, 9, 3), (9, 9), 3, pads=(4, 4, 4, 4),
                                     groups=3),
    "residual net": residual_net,
    "computed weights": computed_weights,
    "matmul constant": matmul((2, 5, 7), (7, 9), constant=True, residual=True),
    "matmul row": matmul((1, 10), (10, 6), constant=True, residual=True),
    "matmul batches": matmul((2, 3, 4, 5), (2, 3, 5, 6), residual=True),
    "matmul broadcast": matmul((2, 1, 4, 5), (3, 5, 6)),
    "matmul rows": matmul((4, 1, 5), (4, 5, 3), residual=True),
    "matmul constant batches": matmul((2, 2, 5), (2, 5, 3), constant=True),
    "max pool": pool("max", (3, 3), (2, 2), (1, 1, 1, 1), (4, 3)),
    "max pool ceil": pool("max", (3, 2), (2, 2), (0, 0, 0, 0), (4, 3), shape=(1, 8, 6, 3)),
    "max pool dilated": pool("max", (2, 3), (1, 1), (1, 2, 0, 2), (6, 6), (2, 2)),
    "average pool": pool("avg", (3, 3), (2, 2), (1, 1, 1, 1), (4, 3)),
    "average pool padded": pool("avg", (3, 3), (2, 2), (1, 1, 1, 1), (4, 4), padded=True),
    "reduce mean": one("reduce", 2, 5, 6, 3, kind="mean", axes=(1, 2)),
    "reduce sum": one("reduce", 2, 5, 6, 3, kind="sum", axes=(0, 3)),
    "reduce max": one("reduce", 4, 6, kind="max", axes=(1,)),
    "reduce min": one("reduce", 4, 6, 2, kind="min", axes=(1,)),
    "reduce prod": one("reduce", 3, 4, kind="prod", axes=(0, 1)),
    "softmax": one("softmax", 3, 5, 4, axis=2, log=False),
    "softmax middle": one("softmax", 3, 5, 4, axis=1, log=True),
    "instance norm": normalize((2, 5, 6, 3), (1, 2), (1, 1, 1, 3)),
    "instance norm per image": normalize((2, 5, 6, 3), (1, 2), (2, 1, 1, 3), [(2, 5, 6, 3)]),
    "layer norm": normalize((2, 3, 8), (2,), (8,), [(8,)]),
    "group norm": normalize((2, 3, 8), (1, 2), (1, 3, 1)),
    "broadcast": broadcast,
    "scalar": lambda d: d.node("pointwise", "y", d.input("x"), expr=X * 3.0),
    "resize taps": taps,
    "resize nearest": nearest,
    "moves": moves_into_halo,
    "joined": joined,
    "transpose": one("transpose", 2, 3, 4, 5, perm=(0, 3, 1, 2)),
    "transpose rank 5": one("transpose", 2, 3, 2, 3, 2, perm=(4, 1, 3, 0, 2)),
    "expand": lambda d: d.node("expand", "y", d.input("x", 3, 1), shape=(2, 3, 4)),
    "long rows": lambda d: d.node("concat", "y", d.input("a", 2, 40), d.input("b", 2, 50), axis=1),
    "gather": gathered,
    "argmax": one("argmax", 3, 5, 4, axis=1, largest=True, select_last=False),
    "argmin last": one("argmax", 3, 5, axis=1, largest=False, select_last=True),
    "window sum": one("window_sum", 1, 2, 3, 7, lo=2, hi=1),
    "reshaped": reshaped,
}


def drawn():
    graphs = {}
    for name, draw in CASES.items():
        d = Draw()
        graphs[name] = d.graph(draw(d))
    return graphs


def feeds_of(graph):
    random = np.random.default_rng(7)
    # Halves: equal elements occur, and every f32 operand is exact.
    return {n: np.round(random.standard_normal(graph.shape(n)) * 8) / 8 for n in graph.inputs}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    graphs = drawn()
    feeds = {name: feeds_of(graph) for name, graph in graphs.items()}
    got = run_in_node(tmp_path_factory.mktemp("js"), graphs, feeds)
    return {name: (got[name], list(interpret(g, feeds[name]).values()))
            for name, g in graphs.items()}


@pytest.mark.parametrize("case", CASES)
def test_kernel_agrees_with_reference(results, case):
    got, want = results[case]
    for g, w in zip(got, want, strict=True):
        bound = 8 * ROUNDING * max(np.abs(w).max(), 1)
        if case.startswith("winograd"):
            graph = drawn()[case]
            largest = max(np.abs(a).max() for a in feeds_of(graph).values())
            # The transformed cells, the weights and the products are rounded to f32.
            bound += 3 * ROUNDING * magnitude(graph.constants["y.w"], largest, 4)
        assert g.shape == w.shape
        assert np.abs(g - w).max() <= bound


def test_primitives_agree_with_numpy(tmp_path):
    values = {1: [-2.5, -1.5, -0.75, -0.0, 0.5, 0.75, 1.25, 2.5, np.inf, np.nan],
              2: [-2.5, -1.0, 0.0, 1.0, 1.0, 0.75, 3.0, 2.5, 2.0, 7.0],
              3: [3.5, 0.0, 1.5, 1.0, -1.0, 0.25, 3.0, 2.0, 4.0, 5.0]}
    feeds = {f"x{i}": np.array(v) for i, v in values.items()}
    d = Draw()
    names = [d.input(n, 10) for n in feeds]
    for prim in PRIMS.values():
        # Bits need integers.
        order = [1, 2, 0] if prim.name.startswith("b") else [0, 1, 2]
        expr = call(prim.name, *(inp(i) for i in order[: prim.arity]))
        d.node("pointwise", prim.name, *names, expr=expr)
    graph = d.graph(*PRIMS)
    got = run_in_node(tmp_path, {"prims": graph}, {"prims": feeds})["prims"]
    for name, g, node in zip(PRIMS, got, graph.nodes, strict=True):
        want = evaluate(node.attrs.expr, list(feeds.values()))
        # erf_ is a rational approximation, good to 6.5e-8.
        np.testing.assert_allclose(g, want, rtol=3 * ROUNDING, atol=1e-45, err_msg=name)


def test_same_graph_same_bytes():
    first, second = drawn(), drawn()
    for name in first:
        assert build(first[name]).files == build(second[name]).files


def test_shared_subexpressions_are_computed_once():
    gate = call("exp", X + 1.0)
    text = assign("y", gate / (gate + 1.0), ["v"])
    assert text.count("Math.exp") == 1
    assert assign("y", X + X, ["v"]) == "y = (v + v);"


def test_numbers_keep_their_sign_and_value():
    assert [number(v) for v in (1.0, -2, 0.5, -0.25, float("inf"), -0.0, float("nan"))] == [
        "1", "(-2)", "0.5", "(-0.25)", "Infinity", "(-0)", "NaN"]


def test_operator_that_no_kernel_runs_is_refused():
    d = Draw()
    graph = d.graph(d.conv("y", d.input("x", 1, 3, 3, 2), 1, 2))
    (link,) = graph.nodes
    chain = replace(link, attrs=Conv2dChain(links=(link,)))
    with pytest.raises(PlanError, match="%y: no kernel runs conv2d_chain on js"):
        build(graph.rebuild([chain]))


def test_kernels_that_differ_in_numbers_are_one_function():
    d = Draw()
    x = d.input("x", 4)
    for i, factor in enumerate((0.5, 0.25)):
        d.node("pointwise", f"y{i}", x, expr=X * factor)
    source = build(d.graph("y0", "y1")).files["module"][0].decode()
    assert source.count("function pointwise") == 1


def test_module_needs_no_eval():
    for graph in drawn().values():
        source = build(graph).files["module"][0].decode()
        assert "eval" not in source and "Function(" not in source
