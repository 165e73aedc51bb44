"""Every WebAssembly kernel on several threads, in lockstep (see lockstep.py), gives what one thread
gives, to the last bit."""


from collections.abc import Sequence

import numpy as np
import pytest
from onnxpress.emit.layout import Halo, Want
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph, Node
from onnxpress.ops import OPS
from onnxpress.ops.reduce import Reduce
from onnxpress.programs.wasm import build as wasm
from onnxpress.run.wasmtime import WasmProgram
from support.cases import IN_CASES, nodes_alone
from support.graphs import sample_inputs
from support.lockstep import Lockstep, Race
from support.step_heap import engine, run_step
from support.wasm_graphs import GRAPHS, POOL

COUNTS = (2, 3, 11)
DENSE, ODD = Want(), Want(Halo((1, 2, 3, 1)), align=4)
RELU = call("max", inp(0) * inp(1) + inp(2), 0.0)
BLEND = ((0, 1), (1, 2), (2, 2), (0, 2), (1, 0)), ((0.5, 0.5), (0.25, 0.75)) * 2 + ((1.0, 0.0),)

# operator, shapes, attributes, layout of rank-4 operands
STEPS = [
    ("pointwise", [(2, 7, 5, 3), (3,), (2, 1, 5, 1)], {"expr": RELU}, ODD),
    ("pointwise", [(1, 9, 33, 3), (3,), (3,)], {"expr": RELU}, DENSE),
    ("pointwise", [(1001,), (1,), (1001,)], {"expr": RELU}, DENSE),
    ("pointwise", [(), (), ()], {"expr": RELU}, DENSE),
    ("transpose", [(1, 8, 9, 12)], {"perm": (0, 3, 1, 2)}, DENSE),
    ("transpose", [(2, 3, 5, 7)], {"perm": (0, 2, 3, 1)}, ODD),
    ("slice", [(2, 9, 8)], {"starts": (0, 8, 1), "steps": (1, -2, 3), "shape": (2, 4, 2)}, DENSE),
    ("concat", [(2, 3, 4, 3), (2, 3, 4, 5), (2, 3, 4, 1)], {"axis": 3}, ODD),
    ("pad", [(2, 3, 4, 5)], {"before": (0, 1, 2, 0), "after": (0, 3, 0, 1), "mode": "constant",
                             "value": 1.5}, ODD),
    ("pad", [(1, 5, 4, 3)], {"before": (0, 2, 3, 0), "after": (0, 4, 1, 0), "mode": "reflect"},
     ODD),
    ("expand", [(3, 1, 5)], {"shape": (2, 3, 4, 5)}, DENSE),
    ("upsample_zero", [(2, 3, 4, 5)], {"strides": (2, 3)}, ODD),
    ("interleave", [(2, 3, 4, 30)], {"strides": (2, 3), "starts": (1, 2), "size": (4, 7)}, ODD),
    ("copy", [(2, 3, 5, 7)], {}, ODD),
    *(("reduce", [(2, 300, 3, 19)], {"kind": kind, "axes": axes}, ODD)
      for kind, axes in (("mean", (1, 2)), ("sum", (3,)), ("max", (0, 1, 2, 3)), ("prod", (1, 3)))),
    ("softmax", [(2, 3, 5, 7)], {"axis": 3, "log": False}, ODD),
    ("softmax", [(5, 197)], {"axis": 1, "log": True}, DENSE),
    ("normalize", [(2, 5, 9, 13), (2, 1, 1, 13), (1, 1, 1, 13)], {"axes": (1, 2), "eps": 1e-5},
     ODD),
    ("normalize", [(2, 19, 5, 7), (2, 1, 1, 7), (1, 1, 1, 7)], {"axes": (1, 2), "eps": 1e-5}, ODD),
    ("normalize", [(7, 300), (300,), (300,)], {"axes": (1,), "eps": 1e-6}, DENSE),
    ("pool2d", [(2, 8, 6, 5)], {**POOL, "kind": "max"}, ODD),
    ("pool2d", [(1, 8, 6, 24)], {**POOL, "kind": "avg"}, DENSE),
    ("resize2d", [(2, 3, 3, 5)], {"rows": BLEND, "cols": BLEND}, ODD),
    ("gather", [(2, 5, 17), (7,)], {"axis": 1}, DENSE),
    ("argmax", [(2, 6, 7, 9)], {"axis": 1, "largest": True, "select_last": False}, ODD),
    ("window_sum", [(2, 3, 4, 17)], {"lo": 2, "hi": 1}, ODD),
]


@pytest.mark.parametrize("op,shapes,attrs,layout", STEPS,
                         ids=[f"{i}-{s[0]}" for i, s in enumerate(STEPS)])
def test_threads_share_a_step(op: str, shapes: list, attrs: dict, layout: Want) -> None:
    arrays = [np.random.default_rng(i).standard_normal(s).astype(np.float32)
              for i, s in enumerate(shapes)]
    node = Node(OPS[op].attrs(**attrs), tuple(f"x{i}" for i in range(len(shapes))), ("y",))
    (out,) = OPS[op].infer(node, shapes)
    layouts = [layout if len(s) == 4 else DENSE for s in (*shapes, out)]
    one = run_step(node, arrays, out, layouts, "relaxed")
    for threads in COUNTS:
        several = run_step(node, arrays, out, layouts, "relaxed", threads)
        np.testing.assert_array_equal(several.output.view(np.int32), one.output.view(np.int32))
        assert several.damage.size == 0


def one_run(graph: Graph) -> tuple[bytes, dict, np.ndarray]:
    """Code, facts, and the heap before a run."""
    built = wasm.build(graph)
    code = built.files["relaxed"][0]
    program = WasmProgram(code, built.about, graph.constants)
    for place, array in zip(built.about.inputs, sample_inputs(graph).values(), strict=True):
        program._write(place.offset, array)
    return code, built.about, program.heap.copy()


def on_threads(graph: Graph, counts: Sequence[int]) -> np.ndarray:
    """The outputs' bits, one after another, which are the same on so many threads."""
    code, about, heap = one_run(graph)
    results = []
    for threads in (1, *counts):
        lockstep = Lockstep(engine("relaxed"), code, heap, threads, about.bytes_per_thread)
        after = lockstep.run("run").view(np.int32)
        results.append(np.concatenate([after[out.offset : out.offset + out.length]
                                       for out in about.outputs]))
    for several in results[1:]:
        np.testing.assert_array_equal(several, results[0])
    return results[0]


@pytest.mark.parametrize("name", GRAPHS)
def test_threads_share_products_and_convolutions(name: str) -> None:
    assert np.unique(on_threads(GRAPHS[name](), COUNTS)).size > 1


@pytest.mark.parametrize("op", IN_CASES)
def test_threads_share_every_operator_of_the_cases(op: str) -> None:
    for graph in nodes_alone(op)[:3]:
        on_threads(graph, (3,))


def test_lockstep_sees_a_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a barrier between its fill and its sums, a mean is wrong."""
    monkeypatch.setattr("onnxpress.emit.wasm.reduce.sync", lambda e: None)
    node = Node(Reduce(kind="mean", axes=(1, 2)), ("x0",), ("y",))
    with pytest.raises((Race, AssertionError)):
        x = np.ones((2, 300, 3, 19), np.float32)
        got = run_step(node, [x], (2, 1, 1, 19), [DENSE, DENSE], "relaxed", 3)
        np.testing.assert_array_equal(got.output, 1)
