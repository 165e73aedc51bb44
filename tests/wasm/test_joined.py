"""What concatenations join is made in its place: by every kernel, in dense blocks, by workers."""

from collections.abc import Callable

import pytest
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph
from onnxpress.programs.plan import plan_linear
from onnxpress.programs.wasm import build as wasm
from support.graphs import Draw
from support.peers import check_workers
from support.wasm_graphs import POOL
from support.wasm_programs import check

RELU = call("max", inp(0), 0)


def pool(d: Draw, name: str, x: str, kind: str = "max") -> str:
    return d.node("pool2d", name, x, **{**POOL, "kind": kind, "kernel": (3, 3), "strides": (1, 1),
                                        "pads": (1,) * 4, "size": d.values[x].shape[1:3]})


def resized(d: Draw, x: str) -> str:
    """To 5x5 and back to 13x11."""
    small = d.node("pool2d", "small", x, **{**POOL, "kind": "max", "size": (3, 3),
                                            "strides": (5, 4)})
    taps = [tuple(((i * k) % 3,) for i in range(n)) for n, k in ((13, 1), (11, 2))]
    return d.node("resize2d", "m", small, rows=(taps[0], ((1.0,),) * 13),
                  cols=(taps[1], ((1.0,),) * 11))


# Each makes "m" of x[1,13,11,16]: 4 n channels.
MAKERS: dict[str, Callable[[Draw, str], str]] = {
    "product": lambda d, x: d.conv("m", x, 1, 12),
    "windows": lambda d, x: d.conv("m", x, 3, 20, pad=1, groups=4),
    "winograd": lambda d, x: d.conv("m", x, 3, 28, pad=1),
    "depthwise": lambda d, x: d.conv("m", x, 3, 16, pad=1, groups=16),
    "few outputs": lambda d, x: d.conv("m", x, 5, 4, pad=2),
    "pool": lambda d, x: pool(d, "m", x),
    "mean": lambda d, x: pool(d, "m", x, "avg"),
    "pointwise": lambda d, x: d.node("pointwise", "m", x, expr=RELU),
    "resize": resized,
    "pad": lambda d, x: d.node("pad", "m", d.node(
        "slice", "cut", x, starts=(0, 1, 0, 0), steps=(1, 1, 1, 1), shape=(1, 12, 9, 16)),
        before=(0, 0, 1, 0), after=(0, 1, 1, 0), mode="constant", value=1.5),
    "interleave": lambda d, x: d.node(
        "interleave", "m", d.conv("phases", x, 1, 32), strides=(2, 2), starts=(0, 0),
        size=(26, 22)),
    "window sum": lambda d, x: d.node("window_sum", "m", x, lo=1, hi=1),
}


def joined(make: Callable[[Draw, str], str]) -> Graph:
    """m between two others; pooled as well, and read with a halo."""
    d = Draw()
    x = d.node("pointwise", "start", d.input("x", 1, 13, 11, 16), expr=RELU)
    m = make(d, x)
    height, width = d.values[m].shape[1:3]
    side = x if height == 13 else d.node("interleave", "grown", d.conv("g", x, 1, 64),
                                         strides=(2, 2), starts=(0, 0), size=(height, width))
    whole = d.node("concat", "joined", d.conv("a", side, 1, 8), m, d.conv("b", side, 1, 4), axis=3)
    return d.graph(d.conv("y", whole, 3, 6, pad=1), d.conv("z", pool(d, "p", m), 1, 5))


def steps(graph: Graph) -> list[str]:
    return [step.node.op for step in plan_linear(graph, "wasm").steps]


@pytest.mark.parametrize("maker", MAKERS)
def test_a_kernel_writes_into_a_concatenation(maker: str) -> None:
    graph = joined(MAKERS[maker])
    assert "concat" not in steps(graph)
    check(graph, outputs=2)


def test_workers_tell_each_other_what_is_joined() -> None:
    check_workers(joined(MAKERS["winograd"]))


def nested(d: Draw, parts: list[str], i: int) -> list[str]:
    return [d.node("concat", f"joined{i}", *parts, axis=3)]


def flat(d: Draw, parts: list[str], i: int) -> list[str]:
    d.node("concat", f"joined{i}", *parts, axis=3)
    return parts


@pytest.mark.parametrize("join", [nested, flat])
def test_a_dense_block_is_one_tensor(join: Callable[[Draw, list[str], int], list[str]]) -> None:
    """Each layer reads all that the earlier ones made (Huang et al., "Densely Connected
    Convolutional Networks", 2017)."""
    d = Draw()
    parts = [d.conv("start", d.input("x", 1, 9, 7, 3), 3, 16, pad=1)]
    whole = parts[0]
    for i in range(4):
        scale = d.weights(f"s{i}", d.values[whole].shape[3])
        normal = d.node("pointwise", f"relu{i}", whole, scale,
                        expr=call("max", inp(0) * inp(1), 0))
        parts = join(d, [*parts, d.conv(f"new{i}", normal, 3, 12, pad=1)], i)
        whole = f"joined{i}"
    graph = d.graph(d.conv("y", whole, 1, 8))
    assert "concat" not in steps(graph) and steps(graph).count("copy") == 1  # of the input
    check(graph)


def fails(name: str) -> Graph:
    """One reason each why a part is copied."""
    d = Draw()
    x = d.input("x", 1, 9, 7, 8)
    a = x if name == "input" else d.conv("a", x, 1, 8)
    b = d.conv("b", x, 1, 6 if name == "lanes" else 8)
    if name == "residual":
        a = d.node("conv2d", "sum", b, d.weights("w", 1, 1, 8, 8), d.weights("v", 8), a,
                   strides=(1, 1), pads=(0,) * 4, dilations=(1, 1), groups=1, pad_mode="zero",
                   epilogue=inp(0) + inp(1))
    if name == "mirror":
        d.conv("mirrored", a, 3, 4, pad=1)
        d.nodes[-1] = d.nodes[-1].with_attrs(pad_mode="reflect")
    whole = d.node("concat", "joined", a, *([a] if name == "twice" else []), b, axis=3)
    more = {"output": [b], "mirror": ["mirrored"]}.get(name, [])
    if name == "whole":
        return d.graph(whole)
    return d.graph(d.conv("y", whole, 3, 4, pad=1), *more)


@pytest.mark.parametrize("name", ["lanes", "residual", "input", "mirror", "twice", "output",
                                  "whole"])
def test_what_cannot_lie_there_is_copied(name: str) -> None:
    graph = fails(name)
    assert "concat" in steps(graph)
    check(graph, outputs=len(graph.outputs))


def test_the_heap_is_no_larger() -> None:
    graph = joined(MAKERS["product"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("onnxpress.programs.layouts.place_joined", lambda *_: {})
        apart = wasm.build(graph).about.elements
    assert wasm.build(graph).about.elements <= apart
