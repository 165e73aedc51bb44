"""Convolutions and matrix products on WebGPU, on shapes equal to, below, above and odd against the
tiles of pixels and channels."""

from dataclasses import replace
from typing import Any

import pytest
from onnxpress.emit.wgsl.device import DEVICES, DISCRETE, TILES, Device, Tile
from onnxpress.graph.expr import call, inp
from onnxpress.run.browser import Browser
from support.graphs import Draw
from support.webgpu_jobs import check, program_of


def convolution(x: tuple[int, ...], kernel: tuple[int, int], o: int, **options: Any) -> Draw:
    """One conv2d of input "x" into "y"."""
    draw = Draw()
    draw.input("x", *x)
    groups = options.pop("groups", 1)
    w = draw.weights("w", *kernel, x[3] // groups, o)
    attrs = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), "groups": groups,
             "pad_mode": "zero", **options}
    draw.node("conv2d", "y", "x", w, draw.weights("b", o), **attrs)
    return draw


# Pixels and channels around the tiles' 4, 8, 16, 32, 64 and 128.
@pytest.mark.parametrize(
    "x, kernel, o, options",
    [
        ((1, 8, 8, 64), (1, 1), 64, {}),
        ((1, 9, 7, 36), (1, 1), 68, {}),
        ((2, 5, 5, 3), (1, 1), 5, {}),
        ((1, 1, 1, 96), (1, 1), 24, {}),
        ((1, 1, 1, 30), (1, 1), 7, {}),
        ((3, 1, 1, 96), (1, 1), 24, {}),
        ((1, 1, 1, 36), (3, 3), 24, {"pads": (1, 1, 1, 1)}),
        ((1, 7, 7, 64), (3, 3), 48, {"pads": (1, 1, 1, 1)}),
        ((1, 7, 7, 256), (3, 3), 64, {"pads": (1, 1, 1, 1)}),
        ((1, 15, 17, 3), (7, 7), 64, {"pads": (3, 3, 3, 3), "strides": (2, 2)}),
        ((1, 65, 64, 8), (3, 3), 3, {"pads": (1, 1, 1, 1)}),
        ((1, 130, 66, 16), (3, 3), 32, {"pads": (0, 1, 1, 0), "strides": (2, 1)}),
        ((2, 6, 6, 8), (3, 2), 6, {"dilations": (2, 3), "pads": (2, 2, 0, 1)}),
        ((1, 7, 7, 20), (7, 7), 33, {}),
        ((2, 4, 3, 5), (4, 3), 9, {}),
        ((1, 9, 8, 8), (5, 5), 12, {"pads": (2, 2, 2, 2), "pad_mode": "reflect"}),
        ((1, 9, 8, 6), (5, 3), 12, {"pads": (4, 1, 3, 2), "pad_mode": "edge"}),
    ],
)
def test_conv2d(browser: Browser, x: tuple[int, ...], kernel: tuple[int, int], o: int,
                options: dict[str, Any]) -> None:
    check(browser, convolution(x, kernel, o, **options), "y")


# SwiftShader compiles a tile's shaders for many seconds; those between the extremes are full tests.
@pytest.mark.parametrize("tile", [
    pytest.param(tile, id=f"{tile.rows}x{tile.cols}x{tile.depth}",
                 marks=[] if i in (0, 3, 6) else pytest.mark.large)
    for i, tile in enumerate(TILES)])
def test_every_tile(browser: Browser, tile: Tile) -> None:
    """Rows, columns and depth equal to, below, above and odd against the tile, and split sums; in
    one program, whose shaders they share."""
    draw = Draw()
    for i, (dm, dn, dk) in enumerate([(0, 0, 0), (-1, 4, 4), (1, -2, -8), (3, 5, 3)]):
        k, n = 2 * tile.depth + dk, tile.cols + dn
        x = draw.input(f"x{i}", 1, 1, tile.rows + dm, k)
        draw.node("conv2d", f"y{i}", x, draw.weights(f"w{i}", 1, 3, k, n), draw.weights(f"b{i}", n),
                  strides=(1, 1), pads=(0, 1, 0, 1), dilations=(1, 1), groups=1, pad_mode="zero")
        half = draw.node("pointwise", f"half{i}", x, expr=inp(0) * 0.5)
        draw.node("matmul", f"z{i}", half, draw.weights(f"v{i}", k, n), draw.weights(f"u{i}", n))
    check(browser, draw, *(f"{name}{i}" for name in "yz" for i in range(4)),
          device=replace(DISCRETE, tiles=(tile,), processors=4, kind=0))


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_residuals_and_clamps_share_shaders_and_keep_apart(browser: Browser, device: Device
                                                           ) -> None:
    draw = Draw()
    draw.input("x", 1, 9, 11, 12)
    draw.conv("c0", "x", 3, 12, pad=1)
    for i, end in enumerate([call("max", inp(0) + inp(1), 0.0), inp(1) + inp(0),
                             call("min", call("max", inp(0), 0.0), 6.0), inp(0)]):
        draw.conv(f"p{i}", f"c{i}", 3, 12, pad=1)
        node = draw.nodes.pop()
        extras = ("x",) if i < 2 else ()
        draw.node("conv2d", f"c{i + 1}", *node.inputs, *extras,
                  **{**node.attrs.told(), "epilogue": end})
    program = program_of(draw.graph("c4"), device)
    assert len(program["shaders"]) <= 2 < len(program["dispatches"])
    check(browser, draw, "c4", device=device)


@pytest.mark.parametrize(
    "x, kernel, o, options",
    [
        ((1, 9, 7, 8), (3, 3), 8, {"groups": 8, "pads": (1, 1, 1, 1)}),
        ((2, 9, 7, 7), (3, 3), 7, {"groups": 7, "pads": (1, 1, 1, 1), "strides": (2, 2)}),
        ((1, 9, 9, 6), (5, 5), 12, {"groups": 6, "pads": (2, 2, 2, 2)}),
        ((1, 9, 9, 4), (3, 3), 16, {"groups": 4, "dilations": (2, 2)}),
        ((1, 6, 5, 12), (3, 3), 9, {"groups": 3, "pads": (1, 1, 1, 1)}),
        ((1, 8, 8, 64), (3, 3), 32, {"groups": 2, "pads": (1, 1, 1, 1)}),
        ((1, 8, 8, 30), (3, 3), 34, {"groups": 2, "pads": (1, 1, 1, 1)}),
        ((1, 7, 6, 8), (3, 3), 8, {"groups": 8, "pads": (1, 1, 1, 1), "pad_mode": "reflect"}),
        ((1, 7, 6, 6), (3, 3), 6, {"groups": 3, "pads": (2, 0, 1, 1), "pad_mode": "edge"}),
        # Wide enough for several pixels an invocation, with a ragged last strip.
        ((1, 97, 95, 32), (3, 3), 32, {"groups": 32, "pads": (1, 1, 1, 1)}),
        ((1, 101, 203, 64), (5, 5), 64, {"groups": 64, "pads": (2, 2, 2, 2)}),
    ],
)
def test_grouped_conv2d(browser: Browser, x: tuple[int, ...], kernel: tuple[int, int], o: int,
                        options: dict[str, Any]) -> None:
    check(browser, convolution(x, kernel, o, **options), "y")


RELU_RESIDUAL = call("max", inp(0) + inp(1) * inp(2), 0.0)


@pytest.mark.parametrize("c, groups", [(8, 1), (6, 1), (8, 8), (7, 7)])
def test_conv2d_epilogue(browser: Browser, c: int, groups: int) -> None:
    draw = convolution((1, 6, 5, c), (3, 3), c, groups=groups, pads=(1, 1, 1, 1))
    node = draw.nodes.pop()
    draw.input("residual", 1, 6, 5, c)
    vector = draw.weights("vector", 1, 1, 1, c)
    draw.node("conv2d", "y", *node.inputs, "residual", vector,
              **{**node.attrs.told(), "epilogue": RELU_RESIDUAL})
    check(browser, draw, "y")


def test_split_sums_keep_the_epilogue(browser: Browser) -> None:
    draw = convolution((1, 3, 3, 512), (3, 3), 32, pads=(1, 1, 1, 1))
    node = draw.nodes.pop()
    draw.input("residual", 1, 3, 3, 32)
    vector = draw.weights("vector", 32)
    draw.node("conv2d", "y", *node.inputs, "residual", vector,
              **{**node.attrs.told(), "epilogue": RELU_RESIDUAL})
    program = program_of(draw.graph("y"))
    assert len(program["dispatches"]) == 2
    check(browser, draw, "y")


def test_too_many_operands_become_several_dispatches(browser: Browser) -> None:
    draw = convolution((1, 4, 4, 8), (1, 1), 8)
    node = draw.nodes.pop()
    extras = [draw.input(f"r{i}", 1, 4, 4, 8) for i in range(9)]
    total = inp(0)
    for i in range(1, 10):
        total = total * inp(i) + float(i)
    draw.node("conv2d", "y", *node.inputs, *extras, **{**node.attrs.told(), "epilogue": total})
    check(browser, draw, "y")


def painter(images: int, *extras: str) -> Draw:
    """A convolution to three channels, a norm whose scale is a part of a row, and planes."""
    draw = convolution((images, 9, 7, 8), (3, 3), 3, pads=(1, 1, 1, 1))
    row = draw.node("matmul", "row", draw.input("v", 1, 6), draw.weights("m", 6, 256),
                    draw.weights("z", 256))
    part = draw.node("slice", "part", row, starts=(0, 128), steps=(1, 1), shape=(1, 3))
    scale = draw.node("reshape", "scale", part, shape=(1, 1, 1, 3))
    draw.node("normalize", "n", "y", scale, draw.weights("shift", 1, 1, 1, 3), axes=(1, 2),
              eps=1e-5, epilogue=1.0 / (1.0 + call("exp", -inp(0))))
    draw.node("pointwise", "u", "n", draw.weights("tint", 3), expr=inp(0) * inp(1))
    draw.node("transpose", "planes", "u", perm=(0, 3, 1, 2))
    return draw


def test_three_channels_become_four(browser: Browser) -> None:
    alone = program_of(painter(1).graph("planes"))
    assert [w["pitch"] for w in alone["weights"] if "pitch" in w] == [16]
    assert not any("array<f32" in s["code"] for s in alone["shaders"] if "normal" in s["code"])
    check(browser, painter(1), "planes")
    check(browser, painter(2), "planes")
    check(browser, painter(1), "planes", "u")


@pytest.mark.parametrize(
    "a, b",
    [
        ((5, 64), (64, 64)), ((1, 37), (37, 10)), ((1, 128), (128, 132)), ((65, 33), (33, 66)),
        ((2, 3, 17, 8), (2, 3, 8, 20)), ((3, 1, 4, 8), (2, 8, 5)), ((4, 6, 8), (8, 12)),
        ((2, 1, 16), (2, 16, 24)), ((7, 2048), (2048, 12)), ((1, 2050), (2050, 1001)),
    ],
)
def test_matmul(browser: Browser, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    draw = Draw()
    draw.node("matmul", "y", draw.input("a", *a), draw.input("b", *b), draw.weights("c", b[-1]))
    check(browser, draw, "y")


def test_a_matrix_larger_than_a_binding_is_cut(browser: Browser,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxpress.kernels.matmul.wgsl.MAX_BINDING", 4096)
    for rows in (1, 5):
        draw = Draw()
        draw.node("matmul", "y", draw.input("a", rows, 150), draw.weights("b", 150, 24),
                  draw.weights("c", 24), epilogue=call("max", inp(0), 0.0))
        tensors = [w["tensor"] for w in program_of(draw.graph("y"))["weights"]]
        assert tensors.count("b") == 5
        check(browser, draw, "y")
