"""Winograd's algorithm on WebGPU: images equal to, below, above and odd against its tiles of 2x2
and 4x4 pixels, what may take it, and what a device chooses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnxpress.emit.wgsl.device import DEVICES, DISCRETE, Device
from onnxpress.graph.expr import call, inp
from onnxpress.ops.interpret import interpret
from onnxpress.run.browser import Browser
from support.graphs import Draw, sample_inputs
from support.webgpu_jobs import EPSILON, program_of, run_graph
from support.winograd_error import magnitude

DIRECT, F2, F4 = (replace(DISCRETE, sizes=(size,)) for size in (1, 2, 4))
SAME = (1, 1, 1, 1)
RELU_RESIDUAL = call("max", inp(0) + inp(1), 0.0)
SCALED = call("max", inp(0) + inp(1) * inp(2), 0.0)


def convolve(draw: Draw, name: str, x: str, o: int, pads: tuple[int, ...] = SAME,
             extras: tuple[str, ...] = (), **options: Any) -> str:
    c = draw.values[x].shape[3]
    w, b = draw.weights(f"{name}.w", 3, 3, c, o), draw.weights(f"{name}.b", o)
    attrs = {"strides": (1, 1), "dilations": (1, 1), "groups": 1, "pad_mode": "zero", **options}
    return draw.node("conv2d", name, x, w, b, *extras, pads=pads, **attrs)


def layers() -> tuple[Draw, list[str]]:
    """One convolution of each shape, all in one program."""
    draw, names = Draw(), []

    def add(x: tuple[int, ...], o: int, pads: tuple[int, ...] = SAME, **options: Any) -> None:
        i = len(names)
        source = draw.input(f"x{i}", *x)
        names.append(convolve(draw, f"y{i}", source, o, pads, **options))

    for h, w in ((1, 1), (1, 7), (2, 2), (3, 5), (4, 4), (5, 6), (7, 3), (8, 9)):
        add((1, h, w, 4), 12)
    add((2, 6, 7, 12), 4)
    add((1, 7, 7, 64), 64)
    add((2, 5, 9, 12), 20, (0, 0, 0, 0))
    add((1, 6, 5, 8), 8, (2, 0, 1, 3))
    for mode in ("reflect", "edge"):
        add((2, 6, 5, 8), 8, pad_mode=mode)
        add((1, 5, 7, 4), 4, (2, 0, 1, 3), pad_mode=mode)
    clamped = call("min", call("max", inp(0), 0.0), 6.0)
    add((1, 5, 5, 8), 8, epilogue=clamped)
    residual = draw.input("residual", 2, 7, 5, 12)
    add((2, 7, 5, 12), 12, extras=(residual,), epilogue=RELU_RESIDUAL)
    vector = draw.weights("vector", 1, 1, 1, 12)
    add((2, 7, 5, 12), 12, extras=(residual, vector), epilogue=SCALED)
    return draw, names


def roundings(c: int) -> int:
    """On the way of a value to a pixel: two lines of at most four terms through each of the input's
    and the weights' transform, C products, two lines of at most six, bias and epilogue."""
    return 2 * 4 + 2 * 4 + c + 2 * 6 + 3


@pytest.mark.parametrize("device", [F2, F4], ids=["2x2", "4x4"])
def test_shapes_around_the_tiles(browser: Browser, device: Device) -> None:
    """Within what the roundings add up to, and within what the proof of a model allows."""
    draw, names = layers()
    graph = draw.graph(*names)
    assert len(program_of(graph, device)["setup"]) == len(names)
    feeds = {n: np.asarray(a, np.float32) for n, a in sample_inputs(graph).items()}
    want = interpret(graph, feeds)
    got, at = np.frombuffer(run_graph(browser, graph, feeds, device).body, "<f4"), 0
    for node in graph.nodes:
        exact = want[node.name]
        part = got[at : at + exact.size].reshape(exact.shape)
        at += exact.size
        x, weights = node.inputs[:2]
        largest = float(np.abs(feeds[x]).max())
        worst = magnitude(graph.constants[weights], largest, device.sizes[0])
        worst = worst * max(1.0, float(np.abs(graph.constants.get("vector", 1.0)).max()))
        peak = max(1.0, float(np.abs(exact).max()))
        bound = min(EPSILON / 2 * roundings(graph.shape(x)[3]) * worst, 1e-4 * peak)
        np.testing.assert_allclose(part, exact, rtol=0, atol=bound, err_msg=node.name)
    assert at == got.size


def test_layers_share_shaders_and_weights(browser: Browser) -> None:
    """Three transforms and one product, for any sizes; weights of two layers are made once,
    and weights that a direct layer uses too stay."""
    draw = Draw()
    name = convolve(draw, "c0", draw.input("x", 1, 9, 11, 12), 12)
    for i, (o, extras) in enumerate([(12, ("c0",)), (8, ()), (12, ())], 1):
        end = RELU_RESIDUAL if extras else call("max", inp(0), 0.0)
        name = convolve(draw, f"c{i}", name, o, extras=extras, epilogue=end)
    again = draw.node("conv2d", "again", name, *draw.nodes[0].inputs[1:],
                      **draw.nodes[0].attrs.told())
    strided = {**draw.nodes[0].attrs.told(), "strides": (2, 2)}
    draw.node("conv2d", "y", again, *draw.nodes[0].inputs[1:], **strided)
    graph = draw.graph("y")
    program = program_of(graph, F4)
    assert len(program["setup"]) == 4 and len(program["dispatches"]) == 5 * 3 + 1
    assert len(program["shaders"]) == 4
    spent = {w["tensor"] for w in program["weights"] if w["buffer"] in program["spent"]}
    assert spent == {"c1.w", "c2.w", "c3.w"}
    feeds = {n: np.asarray(a, np.float32) for n, a in sample_inputs(graph).items()}
    want = interpret(graph, feeds)["y"]
    got = np.frombuffer(run_graph(browser, graph, feeds, F4).body, "<f4").reshape(want.shape)
    assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max()


@pytest.mark.parametrize("change", [
    {"strides": (2, 1)}, {"dilations": (1, 2)}, {"groups": 2}, {"exact": True}, {"c": 6}, {"o": 6},
    {"computed": True},
], ids=lambda change: next(iter(change)))
def test_what_stays_direct(change: dict[str, Any]) -> None:
    options = {"c": 8, "o": 8, "groups": 1, "computed": False, "strides": (1, 1),
               "dilations": (1, 1), "pad_mode": "zero", **change}
    c, o, computed = (options.pop(k) for k in ("c", "o", "computed"))
    draw = Draw()
    x = draw.input("x", 1, 9, 9, c)
    shape = (3, 3, c // options["groups"], o)
    w = draw.input("w", *shape) if computed else draw.weights("w", *shape)
    draw.node("conv2d", "y", x, w, draw.weights("b", o), pads=SAME, **options)
    graph = draw.graph("y")
    assert program_of(graph, F4) == program_of(graph, DIRECT)


def test_temporaries_that_exceed_a_binding_stay_direct() -> None:
    draw = Draw()
    convolve(draw, "y", draw.input("x", 1, 512, 512, 64), 16)  # 64 MiB, which become 256
    assert not program_of(draw.graph("y"), F2)["setup"]


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_a_device_takes_what_pays(device: Device) -> None:
    """The residual blocks of a style net, and layers whose transforms cost more than they save."""
    draw = Draw()
    name = draw.input("x", 1, 64, 64, 128)
    for i in range(16):
        name = convolve(draw, f"c{i}", name, 128)
    assert len(program_of(draw.graph(name), device)["setup"]) == 16
    draw = Draw()
    convolve(draw, "y", draw.input("x", 1, 32, 32, 16), 16)
    assert not program_of(draw.graph("y"), device)["setup"]
