"""Moves that convolutions make on WebGPU: planes that they read, concatenations that they write."""

from dataclasses import replace

import pytest
from onnxpress.emit.wgsl.device import DISCRETE, TILES, Device
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph
from onnxpress.programs.webgpu.build import build, fit
from onnxpress.run.browser import Browser
from support.graphs import Draw
from support.webgpu_jobs import check

WHOLE = replace(DISCRETE, sizes=(1,), splits=(1,))
WAYS = {"whole": WHOLE, "parts": replace(DISCRETE, sizes=(1,), tiles=TILES[3:4], kind=0),
        "winograd2": replace(DISCRETE, sizes=(2,)), "winograd4": replace(DISCRETE, sizes=(4,))}
PIXELS = (0, 2, 3, 1)


def steps(graph: Graph) -> list[str]:
    """The operators that take a step of their own."""
    return [text.split()[0] for text, *_ in build(graph, ()).about.steps]


COUNTS = [(8, 12), (16, 4, 36), (5, 3, 7), (3, 5, 8)]


def joined(draw: Draw, name: str, *counts: int) -> list[str]:
    """The concatenation of convolutions of 1x1 and 3x3 by turns, and a convolution of it."""
    x = draw.input(f"{name}.x", 2, 7, 6, 128)
    made = [draw.conv(f"{name}.{i}", x, 1 + 2 * (i % 2), o, pad=i % 2)
            for i, o in enumerate(counts)]
    both = draw.node("concat", f"{name}.all", *made, axis=3)
    return [both, draw.conv(f"{name}.y", both, 3, 8, pad=1)]


@pytest.mark.parametrize("device", WAYS.values(), ids=WAYS)
def test_convolutions_write_into_their_concatenation(browser: Browser, device: Device) -> None:
    draw = Draw()
    outputs = [name for counts in COUNTS for name in joined(draw, str(counts), *counts)]
    convolutions = sum(len(counts) + 1 for counts in COUNTS)
    assert steps(draw.graph(*outputs)) == ["conv2d"] * convolutions
    check(browser, draw, *outputs, device=device)


def test_what_cannot_be_written_there_is_copied(browser: Browser) -> None:
    draw = Draw()
    draw.input("x", 1, 7, 6, 8)
    relu, residual = call("max", inp(0), 0.0), call("max", inp(0) + inp(1), 0.0)
    names = ("one", "two", "three", "read", "told", "deep")
    one, two, three, read, told, deep = (draw.conv(name, "x", 1, 8) for name in names)
    for i, (end, extras) in enumerate([(relu, ()), (residual, ("x",))]):
        node = draw.nodes.pop(i)
        draw.nodes.insert(i, replace(node, inputs=(*node.inputs, *extras),
                                     attrs=replace(node.attrs, epilogue=end)))
    draw.node("concat", "twice", one, two, three, three, read, told, "x", axis=3)
    draw.node("concat", "rows", deep, read, axis=1)
    graph = draw.graph("twice", "rows", "told")
    # Only `one` is read by nothing else and has no operand at the output's places.
    moved = {n.name: n.attrs.moved for n in fit(graph)[0].nodes if n.op == "concat"}
    assert moved == {"twice": (0,), "rows": ()}
    check(browser, draw, "twice", "rows", "told")


def test_channels_beside_fours_are_copied(browser: Browser) -> None:
    """A convolution that stores vec4f needs a place of whole ones."""
    draw = Draw()
    x = draw.input("x", 1, 7, 6, 8)
    draw.node("concat", "y", draw.conv("a", x, 1, 3), draw.conv("b", x, 1, 8),
              draw.conv("c", x, 1, 5), axis=3)
    (concat,) = (n for n in fit(draw.graph("y"))[0].nodes if n.op == "concat")
    assert concat.attrs.moved == (0, 2)
    check(browser, draw, "y")


@pytest.mark.parametrize("shape, kernel, o, pad, mode", [
    ((1, 3, 15, 17), 7, 8, 3, "zero"), ((2, 3, 9, 8), 3, 5, 1, "reflect"),
    ((2, 1, 6, 5), 3, 8, 0, "zero"), ((1, 6, 5, 7), 1, 4, 0, "edge"),
])
def test_thin_images_are_read_in_planes(browser: Browser, shape: tuple[int, ...], kernel: int,
                                        o: int, pad: int, mode: str) -> None:
    draw = Draw()
    name = draw.node("transpose", "t", draw.input("x", *shape), perm=PIXELS)
    for i in range(2):
        draw.conv(f"y{i}", name, kernel, o, pad=pad)
        draw.nodes.append(draw.nodes.pop().with_attrs(pad_mode=mode))
    graph = draw.graph("y0", "y1")
    assert steps(graph) == ["conv2d", "conv2d"]
    check(browser, draw, "y0", "y1")


@pytest.mark.parametrize("shape, kernel, others", [
    ((1, 4, 7, 6), 3, ()), ((1, 3, 1, 1), 1, ()), ((1, 3, 7, 6), 3, ("t",)),
])
def test_other_images_keep_their_transpose(browser: Browser, shape: tuple[int, ...], kernel: int,
                                           others: tuple[str, ...]) -> None:
    draw = Draw()
    name = draw.node("transpose", "t", draw.input("x", *shape), perm=PIXELS)
    draw.conv("y", name, kernel, 8)
    assert steps(draw.graph("y", *others)) == ["transpose", "conv2d"]
    check(browser, draw, "y", *others)
