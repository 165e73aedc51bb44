"""Batches in slices: each sample's result is what it is in a batch of a slice's size, to the last
bit; where samples meet, a batch stays whole."""

import numpy as np
import pytest
from onnxpress.graph.expr import inp
from onnxpress.graph.graph import Graph
from onnxpress.ops.batch import take_samples
from onnxpress.programs.wasm import build as wasm
from onnxpress.programs.wasm import slices as wasm_slices
from onnxpress.run.wasmtime import WasmProgram
from support.graphs import Draw, sample_inputs
from support.lockstep import Lockstep
from support.step_heap import engine


@pytest.fixture(autouse=True)
def every_size_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasm_slices, "LARGE", 0)


def net(batch: int) -> Graph:
    """Two inputs, two outputs, a layer from pixels to classes."""
    d = Draw()
    x, y = d.input("x", batch, 9, 8, 3), d.input("y", batch, 5)
    image = d.conv("image", d.conv("first", x, 3, 8, pad=1), 3, 8, stride=2, pad=1, groups=8)
    mean = d.node("reduce", "mean", image, kind="mean", axes=(1, 2))
    flat = d.node("reshape", "flat", mean, shape=(batch, 8))
    both = d.node("concat", "both", flat, y, axis=1)
    d.node("matmul", "classes", both, d.weights("w", 13, 7), d.weights("b", 7))
    d.node("transpose", "picture", image, perm=(0, 3, 1, 2))
    return d.graph("classes", "picture")


def program(graph: Graph, isa: str) -> WasmProgram:
    built = wasm.build(graph)
    return WasmProgram(built.files[isa][0], built.about, graph.constants)


@pytest.mark.parametrize("isa", wasm.ISAS)
@pytest.mark.parametrize(("batch", "size"), [(6, 1), (6, 2), (6, 4), (7, 1)])
def test_samples_are_what_they_are_alone(batch: int, size: int, isa: str,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasm_slices, "_samples", lambda one: size)
    graph = net(batch)
    count = next(n for n in range(size, batch + 1) if batch % n == 0)
    assert wasm_slices.plan_slices(graph).times == batch // count
    feeds = [a.astype(np.float32) for a in sample_inputs(graph).values()]
    got = [out.reshape(batch, -1) for out in program(graph, isa).run(feeds)]
    few = program(net(count), isa)
    for first in range(0, batch, count):
        alone = few.run([a[first : first + count] for a in feeds])
        for whole, part in zip(got, alone, strict=True):
            np.testing.assert_array_equal(whole[first : first + count].ravel(), part)
    assert np.unique(got[0]).size > batch


def test_threads_take_slices_together() -> None:
    graph = net(5)
    built = wasm.build(graph)
    alone = WasmProgram(built.files["relaxed"][0], built.about, graph.constants)
    for place, array in zip(built.about.inputs, sample_inputs(graph).values(), strict=True):
        alone._write(place.offset, array)
    heap = alone.heap.copy()
    results = []
    for threads in (1, 2, 3):
        lockstep = Lockstep(engine("relaxed"), built.files["relaxed"][0], heap, threads,
                            built.about.bytes_per_thread)
        after = lockstep.run("run")
        results.append([after[o.offset : o.offset + o.length].view(np.int32)
                        for o in built.about.outputs])
    for several in results[1:]:
        for got, want in zip(several, results[0], strict=True):
            np.testing.assert_array_equal(got, want)
            assert np.unique(got).size > 1


def test_a_step_alone_is_taken_for_every_slice() -> None:
    graph = net(6)
    one, all_six = wasm.build(net(1)).about.steps, wasm.build(graph).about.steps
    assert all_six == tuple((f"6 x {label}", 6 * flops, 6 * size) for label, flops, size in one)


def test_large_constants_ask_for_larger_slices() -> None:
    d = Draw()
    d.node("matmul", "y", d.input("x", 64, 10), d.weights("w", 10, 30), d.weights("b", 30))
    graph = d.graph("y")
    moved, constants = 10 + 30, 10 * 30 + 30
    assert wasm_slices._samples(take_samples(graph, 1)) == -(-constants // moved)
    assert wasm_slices.plan_slices(graph).times == 4  # slices of 16, the next divisor


def test_small_batches_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasm_slices, "LARGE", 1 << 20)
    assert wasm_slices.plan_slices(net(6)).times == 1


MIXED = {
    "over samples": lambda d, x: d.node("reduce", "y", x, kind="mean", axes=(0, 1)),
    "softmax over samples": lambda d, x: d.node("softmax", "y", x, axis=0, log=False),
    "samples swapped": lambda d, x: d.node("slice", "y", x, shape=(6, 4, 6), starts=(5, 0, 0),
                                           steps=(-1, 1, 1)),
    "some samples": lambda d, x: d.node("gather", "y", x, d.constant("i", np.arange(6)), axis=0),
    "moved axis": lambda d, x: d.node("transpose", "y", x, perm=(2, 1, 0)),
    "more samples": lambda d, x: d.node("concat", "y", x, x, axis=0),
    "a constant for each": lambda d, x: d.node("pointwise", "y", x, d.weights("c", 6, 1, 1),
                                               expr=inp(0) + inp(1)),
    "flat": lambda d, x: d.node("reshape", "y", x, shape=(36, 4)),
}


@pytest.mark.parametrize("name", MIXED)
def test_what_mixes_samples_stays_whole(name: str) -> None:
    d = Draw()
    MIXED[name](d, d.input("x", 6, 4, 6))
    graph = d.graph("y")
    assert take_samples(graph, 1) is None
    assert wasm_slices.plan_slices(graph).times == 1


def test_a_batch_of_other_inputs_stays_whole() -> None:
    d = Draw()
    d.node("matmul", "y", d.input("x", 6, 4), d.input("w", 4, 8), d.weights("b", 8))
    assert take_samples(d.graph("y"), 1) is None


def test_a_batch_without_constants_runs_in_slices() -> None:
    d = Draw()
    d.outputs("topk", ("v", "i"), d.input("x", 6, 9), axis=1, k=2, largest=True)
    graph = d.graph("v", "i")
    assert wasm_slices.plan_slices(graph).times == 6
    feeds = sample_inputs(graph)
    best = np.sort(feeds["x"].astype(np.float32))[:, :-3:-1]
    values, _ = program(graph, "relaxed").run([feeds["x"]])
    np.testing.assert_array_equal(values.reshape(6, 2), best)
