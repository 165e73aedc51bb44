"""Pools, reductions, resampling and moves on WebGPU, on shapes around the workgroups' sizes."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from onnxpress.graph.expr import call, inp
from onnxpress.run.browser import Browser
from support.graphs import Draw
from support.webgpu_jobs import check, program_of


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("c", [4, 5])
@pytest.mark.parametrize(
    "attrs",
    [
        {"kernel": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1), "size": (5, 4)},
        {"kernel": (2, 3), "strides": (2, 2), "pads": (0, 1, 0, 1), "size": (5, 4)},
        {"kernel": (3, 2), "strides": (1, 2), "pads": (1, 0, 1, 0), "dilations": (2, 3),
         "size": (7, 3)},
    ],
)
@pytest.mark.parametrize("count", [False, True])
def test_pool2d(browser: Browser, kind: str, c: int, attrs: dict[str, Any], count: bool) -> None:
    draw = Draw()
    draw.node("pool2d", "y", draw.input("x", 2, 9, 8, c), kind=kind, count_include_pad=count,
              **{"dilations": (1, 1), **attrs})
    check(browser, draw, "y")


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize(
    "shape, axes",
    [
        ((2, 7, 5, 8), (1, 2)), ((2, 7, 5, 6), (1, 2)), ((3, 300), (1,)), ((300, 3), (0,)),
        ((4, 5, 6), (0, 2)), ((2, 3, 4), (0, 1, 2)), ((5,), (0,)), ((3, 1), (1,)),
        ((130, 40, 3), (0, 1)), ((130, 40, 4), (0, 1)),
    ],
)
def test_reduce(browser: Browser, kind: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    draw = Draw()
    draw.node("reduce", "y", draw.input("x", *shape), kind=kind, axes=axes)
    feeds = {"x": np.random.default_rng(3).uniform(0.98, 1.02, shape)} if kind == "prod" else None
    check(browser, draw, "y", feeds=feeds)


@pytest.mark.parametrize("shape, axis", [((3, 10), 1), ((2, 300), 1), ((2, 5, 8), 1),
                                         ((2, 5, 7), 1), ((1000,), 0), ((1, 70, 3), 2)])
@pytest.mark.parametrize("log", [False, True])
def test_softmax(browser: Browser, shape: tuple[int, ...], axis: int, log: bool) -> None:
    draw = Draw()
    draw.node("softmax", "y", draw.input("x", *shape), axis=axis, log=log)
    check(browser, draw, "y")


@pytest.mark.parametrize(
    "shape, axes, scale",
    [
        ((1, 9, 7, 8), (1, 2), (1, 1, 1, 8)), ((2, 9, 7, 6), (1, 2), (2, 1, 1, 6)),
        ((1, 64, 60, 12), (1, 2), (1, 1, 1, 12)), ((1, 64, 61, 3), (1, 2), (1, 1, 1, 3)),
        ((5, 48), (1,), (48,)), ((2, 3, 33), (2,), (33,)), ((2, 4, 5, 6), (1, 2, 3), (1, 1, 1, 6)),
    ],
)
def test_normalize(browser: Browser, shape: tuple[int, ...], axes: tuple[int, ...],
                   scale: tuple[int, ...]) -> None:
    draw = Draw()
    draw.input("x", *shape)
    residual = draw.input("r", *shape)
    scale_, shift = draw.input("scale", *scale), draw.weights("shift", *scale)
    draw.node("normalize", "y", "x", scale_, shift, residual, axes=axes, eps=1e-5,
              epilogue=call("max", inp(0) + inp(1), 0.0))
    check(browser, draw, "y")


def test_normalize_is_robust_against_a_large_mean(browser: Browser) -> None:
    for shape in ((1, 20, 20, 4), (1, 64, 64, 4)):
        draw = Draw()
        draw.node("normalize", "y", draw.input("x", *shape), draw.weights("a", 1, 1, 1, 4),
                  draw.weights("b", 1, 1, 1, 4), axes=(1, 2), eps=1e-5)
        x = 1000 + np.random.default_rng(1).standard_normal(shape)
        check(browser, draw, "y", feeds={"x": np.float32(x)})


def taps(length: int, size: int, width: int) -> tuple:
    random = np.random.default_rng(size)
    lines = range(size)
    return (tuple(tuple(int(i) for i in random.integers(0, length, width)) for _ in lines),
            tuple(tuple(float(np.float32(w)) for w in random.random(width)) for _ in lines))


@pytest.mark.parametrize("c", [4, 3])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_resize2d(browser: Browser, c: int, width: int) -> None:
    draw = Draw()
    draw.node("resize2d", "y", draw.input("x", 2, 5, 6, c), rows=taps(5, 7, width),
              cols=taps(6, 9, width))
    check(browser, draw, "y")


def test_nearest_upsampling_needs_no_table(browser: Browser) -> None:
    twice = [(tuple((i // 2,) for i in range(2 * n)), ((1.0,),) * (2 * n)) for n in (5, 6)]
    draw = Draw()
    draw.node("resize2d", "y", draw.input("x", 1, 5, 6, 8), rows=twice[0], cols=twice[1])
    assert program_of(draw.graph("y"))["tables"] == []
    check(browser, draw, "y")


MOVES = {
    "transpose": ("transpose", [(2, 3, 4, 5)], {"perm": (0, 3, 1, 2)}, None),
    "transpose_wide": ("transpose", [(2, 3, 8)], {"perm": (1, 0, 2)}, None),
    "slice": ("slice", [(4, 9, 8)], {"starts": (1, 8, 0), "steps": (2, -3, 1)}, (2, 3, 8)),
    "concat": ("concat", [(2, 3, 4), (2, 3, 8), (2, 3, 12)], {"axis": 2}, None),
    "concat_odd": ("concat", [(2, 3), (2, 2)], {"axis": 1}, None),
    "concat_many": ("concat", [(1, 2, 4)] * 17, {"axis": 1}, None),
    "pad": ("pad", [(3, 4)], {"before": (1, 0), "after": (2, 3), "mode": "constant",
                              "value": 1.5}, None),
    "pad_reflect": ("pad", [(1, 5, 6, 3)], {"before": (0, 2, 1, 0), "after": (0, 1, 3, 0),
                                            "mode": "reflect", "value": 0.0}, None),
    "pad_edge": ("pad", [(1, 3, 2, 4)], {"before": (0, 2, 1, 0), "after": (0, 1, 3, 0),
                                         "mode": "edge", "value": 0.0}, None),
    "expand": ("expand", [(3, 1, 4)], {}, (2, 3, 5, 4)),
    "expand_scalar": ("expand", [()], {}, (7,)),
    "upsample_zero": ("upsample_zero", [(1, 3, 4, 5)], {"strides": (2, 3)}, None),
    "interleave": ("interleave", [(1, 3, 4, 24)],
                   {"strides": (2, 3), "starts": (0, 0), "size": (6, 12)}, None),
    "interleave_crop": ("interleave", [(1, 3, 4, 30)],
                        {"strides": (2, 3), "starts": (1, 2), "size": (4, 7)}, None),
    "interleave_many": ("interleave", [(1, 3, 4, 4)] * 9,
                        {"strides": (3, 3), "starts": (0, 1), "size": (9, 11)}, None),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(browser: Browser, name: str) -> None:
    op, shapes, attrs, shape = MOVES[name]
    draw = Draw()
    names = [draw.input(f"x{i}", *s) for i, s in enumerate(shapes)]
    draw.node(op, "y", *names, shape=shape, **attrs)
    check(browser, draw, "y")


@pytest.mark.parametrize("shape, axis", [((7, 8), 0), ((3, 5, 3), 1), ((9,), 0)])
def test_gather(browser: Browser, shape: tuple[int, ...], axis: int) -> None:
    draw = Draw()
    draw.node("gather", "y", draw.input("x", *shape), draw.input("i", 2, 3), axis=axis)
    feeds = {"x": np.random.default_rng(1).standard_normal(shape),
             "i": np.array([[0, -1, 2], [1, -3, 0]])}
    check(browser, draw, "y", feeds=feeds)


@pytest.mark.parametrize("largest, select_last", list(product([True, False], repeat=2)))
@pytest.mark.parametrize("shape, axis", [((3, 700), 1), ((2, 5, 7), 1), ((4,), 0)])
def test_argmax(browser: Browser, shape: tuple[int, ...], axis: int, largest: bool,
                select_last: bool) -> None:
    draw = Draw()
    draw.node("argmax", "y", draw.input("x", *shape), axis=axis, largest=largest,
              select_last=select_last)
    x = np.random.default_rng(1).integers(-3, 4, shape)  # with many ties
    check(browser, draw, "y", feeds={"x": x})


@pytest.mark.parametrize("lo, hi", [(2, 2), (1, 2), (9, 0)])
def test_window_sum(browser: Browser, lo: int, hi: int) -> None:
    draw = Draw()
    draw.node("window_sum", "y", draw.input("x", 2, 3, 7), lo=lo, hi=hi)
    check(browser, draw, "y")


def test_constants_inputs_and_reshapes_can_be_outputs(browser: Browser) -> None:
    draw = Draw()
    draw.input("x", 2, 6)
    draw.weights("w", 5)
    draw.node("reshape", "flat", "x", shape=(12,))
    draw.node("pointwise", "y", "flat", expr=inp(0) * 2.0)
    draw.node("reshape", "z", "y", shape=(3, 4))
    check(browser, draw, "x", "w", "z", "flat")
