"""Chains of convolutions in WebAssembly: to the last bit what their links give one after another,
in bands of any height, on any number of threads; what no buffer owns must stay as it was.
"""

from dataclasses import replace

import numpy as np
import pytest
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph
from onnxpress.kernels.conv2d.wasm import chain as wasm_chain
from onnxpress.programs.wasm import build as wasm
from onnxpress.programs.wasm import chains as wasm_chains
from onnxpress.programs.wasm.chains import fuse_chains
from onnxpress.run.wasmtime import WasmProgram
from support.graphs import Draw, distance, sample_inputs
from support.lockstep import Lockstep
from support.step_heap import GUARD, engine, owned

RELU6 = call("min", call("max", inp(0), 0.0), 6.0)
SCALED = call("max", inp(0) * inp(1), -0.5)
BANDS = (1, 6000, 1 << 30)  # bytes: one row, a few, all


@pytest.fixture(autouse=True)
def every_size_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasm_chains, "LARGE", 0)


def block(x: tuple, inner: int | None, o: int | None, kernel=(3, 3), strides=(1, 1), pads=None,
          dilations=(1, 1), mode="zero", scaled=False) -> Graph:
    """Expand to `inner` channels, slide, project to `o`, and add x where that fits."""
    d = Draw()
    at = d.input("x", *x)

    def conv(name: str, at: str, kh: int, kw: int, c: int, o: int, *extras: str, **attrs) -> str:
        attrs = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), "groups": 1,
                 "pad_mode": "zero", "epilogue": RELU6, **attrs}
        return d.node("conv2d", name, at, d.weights(f"{name}.w", kh, kw, c, o),
                      d.weights(f"{name}.b", o), *extras, **attrs)

    def finish(name: str, channels: int) -> tuple[tuple[str, ...], dict]:
        if not scaled:
            return (), {}
        return (d.weights(f"{name}.scale", channels),), {"epilogue": SCALED}

    c = inner or x[3]
    if inner:
        extras, attrs = finish("expand", c)
        at = conv("expand", at, 1, 1, x[3], c, *extras, **attrs)
    extras, attrs = finish("slide", c)
    if pads is None:
        top, left = ((k - 1) * step // 2 for k, step in zip(kernel, dilations, strict=True))
        pads = (top, left, top, left)
    at = conv("slide", at, *kernel, 1, c, *extras, groups=c, strides=strides, pads=pads,
              dilations=dilations, pad_mode=mode, **attrs)
    if o:
        same = (*d.values[at].shape[:3], o) == x
        residual = {"epilogue": inp(0) + inp(1)} if same else {}
        at = conv("project", at, 1, 1, c, o, *(["x"] if same else []), **residual)
    return d.graph(at)


BLOCKS = {
    "residual": lambda: block((1, 13, 9, 8), 24, 8),
    "odd channels": lambda: block((1, 11, 7, 5), 13, 7, scaled=True),
    "odd channels, residual": lambda: block((2, 7, 5, 6), 19, 6),
    "stride": lambda: block((2, 14, 10, 8), 20, 12, strides=(2, 2), pads=(0, 0, 1, 1)),
    "odd size, stride": lambda: block((1, 15, 11, 4), 12, 9, strides=(2, 2)),
    "5x5": lambda: block((2, 12, 9, 8), 16, 8, (5, 5)),
    "5x5, stride": lambda: block((1, 17, 13, 8), 16, 8, (5, 5), (2, 2), scaled=True),
    "rows apart": lambda: block((2, 16, 6, 4), 8, 4, (1, 3), (3, 1), pads=(0, 1, 0, 1)),
    "dilated": lambda: block((1, 15, 12, 4), 12, 4, dilations=(3, 2)),
    "pads of one side": lambda: block((1, 9, 8, 4), 12, 4, (4, 3), pads=(3, 0, 2, 2)),
    "a row of windows": lambda: block((3, 3, 40, 8), 16, 8, pads=(0, 1, 0, 1)),
    "less than a window": lambda: block((2, 2, 3, 4), 8, 4, (5, 5)),
    "one row": lambda: block((2, 1, 21, 8), 16, 8),
    "no expansion": lambda: block((2, 13, 9, 12), None, 20, scaled=True),
    "no expansion, mirrored": lambda: block((2, 13, 9, 12), None, 20, mode="reflect"),
    "no projection": lambda: block((2, 12, 9, 4), 12, None, strides=(2, 1), scaled=True),
}


def run(graph: Graph, isa: str, plan: Graph) -> np.ndarray:
    """The second run's output, which finds the first one's remains; `plan` is what is planned."""
    built = wasm.build(graph)
    program = WasmProgram(built.files[isa][0], built.about, graph.constants)
    free = owned(plan, program)
    program.heap[~free] = GUARD
    feeds = list(sample_inputs(graph).values())
    program.run(feeds)
    (out,) = program.run(feeds)
    assert (program.heap[~free] == GUARD).all()
    return out


@pytest.mark.parametrize("name", BLOCKS)
def test_chains_change_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = BLOCKS[name]()
    for band in BANDS:
        monkeypatch.setattr(wasm_chain, "BAND_BYTES", band)
        monkeypatch.setattr(wasm_chains, "LARGE", 0)
        fused = fuse_chains(graph)
        assert [n.op for n in fused.nodes] == ["conv2d_chain"]
        got = {isa: run(graph, isa, fused) for isa in wasm.ISAS}
        monkeypatch.setattr(wasm_chains, "LARGE", 1 << 40)
        for isa in wasm.ISAS:
            want = run(graph, isa, graph)
            np.testing.assert_array_equal(got[isa].view(np.int32), want.view(np.int32))
            assert np.unique(want).size > 1


@pytest.mark.parametrize("name", BLOCKS)
def test_threads_share_the_rows_of_all_images(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = BLOCKS[name]()
    monkeypatch.setattr(wasm_chain, "BAND_BYTES", 6000)
    built = wasm.build(graph)
    program = WasmProgram(built.files["relaxed"][0], built.about, graph.constants)
    for place, array in zip(built.about.inputs, sample_inputs(graph).values(), strict=True):
        program._write(place.offset, array)
    (out,) = built.about.outputs
    results = []
    for threads in (1, 2, 3, 11):
        lockstep = Lockstep(engine("relaxed"), built.files["relaxed"][0], program.heap.copy(),
                            threads, built.about.bytes_per_thread)
        after = lockstep.run("run")[out.offset : out.offset + out.length]
        results.append(after.view(np.int32))
    assert np.unique(results[0]).size > 1
    for several in results[1:]:
        np.testing.assert_array_equal(several, results[0])


def test_bands_have_the_heights_that_the_tests_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    heights = {}
    for name, make in BLOCKS.items():
        (node,) = (graph := fuse_chains(make())).nodes
        shapes = [graph.shape(n) for n in node.inputs]
        for band in BANDS:
            monkeypatch.setattr(wasm_chain, "BAND_BYTES", band)
            chain = wasm_chain.chain_of(node, shapes)
            heights.setdefault(name, []).append((chain.rows, chain.slide.v.oh))
    for (one, _), _, (whole, rows) in heights.values():
        assert (one, whole) == (1, rows)
    some = [(few, rows) for _, (few, rows), _ in heights.values() if 1 < few < rows]
    assert any(rows % few for few, rows in some) and any(rows % few == 0 for few, rows in some)


def test_a_chain_means_its_links() -> None:
    for make in BLOCKS.values():
        graph = make()
        assert distance(graph, fuse_chains(graph)) == 0


def test_two_blocks_and_what_lies_between() -> None:
    d = Draw()
    x = d.input("x", 1, 9, 8, 4)
    for i in range(2):
        wide = d.conv(f"wide{i}", x, 1, 12)
        x = d.conv(f"narrow{i}", d.conv(f"slide{i}", wide, 3, 12, pad=1, groups=12), 1, 4)
    graph = d.graph(x)
    fused = fuse_chains(graph)
    assert [len(n.attrs.links) for n in fused.nodes] == [3, 3]
    assert {"wide0", "slide1"}.isdisjoint(fused.values)
    run(graph, "simd128", fused)


def ops(graph: Graph) -> list[str]:
    return [n.op for n in fuse_chains(graph).nodes]


def test_small_values_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = BLOCKS["residual"]()
    inner = 4 * 2 * 13 * 9 * 24
    monkeypatch.setattr(wasm_chains, "LARGE", inner)
    assert ops(graph) == ["conv2d"] * 3
    monkeypatch.setattr(wasm_chains, "LARGE", inner - 1)
    assert ops(graph) == ["conv2d_chain"]


def test_what_others_read_stays_in_memory() -> None:
    d = Draw()
    wide = d.conv("wide", d.input("x", 1, 9, 8, 4), 1, 12)
    slide = d.conv("slide", wide, 3, 12, pad=1, groups=12)
    narrow = d.conv("narrow", slide, 1, 4)
    assert ops(d.graph(narrow, wide)) == ["conv2d", "conv2d_chain"]
    assert ops(d.graph(narrow, slide)) == ["conv2d_chain", "conv2d"]
    d.node("pointwise", "other", wide, expr=RELU6)
    assert ops(d.graph(narrow, "other")) == ["conv2d", "conv2d_chain", "pointwise"]


def test_pads_that_are_no_zeros_need_the_whole_image() -> None:
    graph = block((1, 9, 8, 4), 12, 4, mode="edge")
    assert [len(n.attrs.told().get("links", ())) for n in fuse_chains(graph).nodes] == [0, 2]


def test_a_residual_of_a_value_between_needs_it_whole() -> None:
    d = Draw()
    x = d.input("x", 1, 9, 8, 4)
    slide = d.conv("slide", d.conv("wide", x, 1, 4), 3, 4, pad=1, groups=4)
    d.conv("narrow", slide, 1, 4)
    middle = d.nodes[1].with_attrs(epilogue=inp(0) + inp(1))
    d.nodes[1] = replace(middle, inputs=(*middle.inputs, x))
    (first, last) = fuse_chains(d.graph("narrow")).nodes
    assert [link.name for link in first.attrs.links] == ["wide", "slide"]
    assert last.op == "conv2d"
