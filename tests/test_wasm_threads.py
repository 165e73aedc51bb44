"""Every WebAssembly kernel on several threads, in lockstep (see lockstep.py), gives what one thread
gives, to the last bit."""

import numpy as np
import pytest
from graphs import Draw, sample_inputs
from lockstep import Lockstep, Race
from onnxpress.emit.layout import Halo, Want
from onnxpress.graph.expr import call, inp
from onnxpress.graph.graph import Graph, Node
from onnxpress.kernels import KERNELS
from onnxpress.ops import OPS
from onnxpress.programs.wasm import build as wasm
from onnxpress.run.wasmtime import WasmProgram
from step_heap import engine, run_step

COUNTS = (2, 3, 11)
DENSE, ODD = Want(), Want(Halo((1, 2, 3, 1)), align=4)
RELU = call("max", inp(0) * inp(1) + inp(2), 0.0)
BLEND = ((0, 1), (1, 2), (2, 2), (0, 2), (1, 0)), ((0.5, 0.5), (0.25, 0.75)) * 2 + ((1.0, 0.0),)
POOL = {"kernel": (3, 2), "strides": (2, 1), "pads": (1, 1, 1, 0), "dilations": (1, 1),
        "count_include_pad": False, "size": (4, 6)}

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
    node = Node(op, tuple(f"x{i}" for i in range(len(shapes))), ("y",), attrs)
    (out,) = OPS[op].infer(node, shapes)
    layouts = [layout if len(s) == 4 else DENSE for s in (*shapes, out)]
    one = run_step(node, arrays, out, layouts, "relaxed")
    for threads in COUNTS:
        several = run_step(node, arrays, out, layouts, "relaxed", threads)
        np.testing.assert_array_equal(several.output.view(np.int32), one.output.view(np.int32))
        assert several.damage.size == 0


def convolution(x: tuple, kernel: int, o: int, **options) -> Graph:
    d = Draw()
    mode = options.pop("mode", "zero")
    d.conv("y", d.input("x", *x), kernel, o, **options)
    d.nodes = [n.with_attrs(pad_mode=mode) for n in d.nodes]
    return d.graph("y")


def finished(x: tuple, kernel: int, o: int, **options) -> Graph:
    """A convolution, scaled by channel, plus a residual."""
    d = Draw()
    d.conv("y", d.input("x", *x), kernel, o, **options)
    (node,) = d.nodes
    extras = d.weights("scale", o), d.input("r", *d.values["y"].shape)
    d.nodes = [Node(node.op, (*node.inputs, *extras), ("y",),
                    {**node.attrs, "epilogue": inp(0) * inp(1) + inp(2)})]
    return d.graph("y")


def product(a: tuple, b: tuple, constant: bool = False) -> Graph:
    d = Draw()
    right = d.weights("b", *b) if constant else d.input("b", *b)
    d.node("matmul", "y", d.input("a", *a), right, d.weights("bias", b[-1]))
    return d.graph("y")


def computed() -> Graph:
    d = Draw()
    d.node("conv2d", "y", d.input("x", 1, 7, 5, 6), d.input("w", 3, 3, 6, 10), d.weights("b", 10),
           strides=(1, 1), pads=(1,) * 4, dilations=(1, 1), groups=1, pad_mode="edge")
    return d.graph("y")


def joined() -> Graph:
    """Two convolutions beside each other, read with a halo."""
    d = Draw()
    x = d.input("x", 1, 13, 11, 12)
    whole = d.node("concat", "joined", d.conv("a", x, 1, 20), d.conv("b", x, 3, 24, pad=1), axis=3)
    return d.graph(d.conv("y", whole, 3, 9, pad=1))


GRAPHS = {
    "pixels": lambda: convolution((1, 23, 11, 5), 1, 13),
    "windows": lambda: convolution((2, 13, 9, 3), 3, 17, stride=2, pad=1, mode="reflect"),
    "channels": lambda: convolution((1, 5, 3, 700), 1, 133),
    "groups": lambda: convolution((1, 5, 7, 72), 3, 72, pad=1, groups=18),
    "odd groups": lambda: convolution((1, 5, 7, 9), 3, 6, pad=1, groups=3),
    "computed weights": computed,
    "depthwise": lambda: convolution((2, 7, 5, 13), 3, 13, pad=1, groups=13),
    "few outputs": lambda: convolution((1, 11, 9, 8), 5, 3, pad=2),
    "winograd, channels": lambda: convolution((2, 13, 11, 24), 3, 72, pad=1),
    "winograd, finished": lambda: finished((1, 13, 11, 24), 3, 48, pad=1),
    "channels, finished": lambda: finished((1, 5, 3, 300), 1, 72),
    "vector, finished": lambda: finished((1, 1, 1, 37), 1, 101),
    "winograd, few rows": lambda: convolution((2, 13, 11, 24), 3, 20, pad=1, mode="edge"),
    "winograd, many rows": lambda: convolution((1, 37, 45, 12), 3, 28, pad=1),
    "winograd, wide": lambda: convolution((1, 34, 270, 8), 3, 8, pad=1),
    "vector": lambda: convolution((3, 1, 1, 37), 1, 101),
    "rows": lambda: product((3, 29, 7), (7, 13), constant=True),
    "spare lanes": lambda: product((3, 21, 9), (3, 9, 13)),
    "spare lanes alone": lambda: product((3, 21, 9), (3, 9, 3)),
    "vectors": lambda: product((5, 1, 9), (5, 9, 13)),
    "joined": joined,
}


def one_run(graph: Graph) -> tuple[bytes, dict, np.ndarray]:
    """Code, facts, and the heap before a run."""
    built = wasm.build(graph)
    code = built.files["relaxed"][0]
    program = WasmProgram(code, built.about, graph.constants)
    for place, array in zip(built.about["inputs"], sample_inputs(graph).values(), strict=True):
        program._write(place["offset"], array)
    return code, built.about, program.heap.copy()


@pytest.mark.parametrize("name", GRAPHS)
def test_threads_share_products_and_convolutions(name: str) -> None:
    code, about, heap = one_run(GRAPHS[name]())
    (out,) = about["outputs"]
    results = []
    for threads in (1, *COUNTS):
        lockstep = Lockstep(engine("relaxed"), code, heap, threads, about["bytes_per_thread"])
        after = lockstep.run("run")[out["offset"] : out["offset"] + out["length"]]
        results.append(after.view(np.int32))
    assert np.unique(results[0]).size > 1
    for several in results[1:]:
        np.testing.assert_array_equal(several, results[0])


def test_the_tables_reach_every_kernel() -> None:
    planned = {"conv2d", "conv2d_chain", "matmul", "fill_halo"}
    assert {step[0] for step in STEPS} | planned == set(KERNELS)


def test_lockstep_sees_a_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a barrier between its fill and its sums, a mean is wrong."""
    monkeypatch.setattr("onnxpress.emit.wasm.reduce.sync", lambda e: None)
    node = Node("reduce", ("x0",), ("y",), {"kind": "mean", "axes": (1, 2)})
    with pytest.raises((Race, AssertionError)):
        x = np.ones((2, 300, 3, 19), np.float32)
        got = run_step(node, [x], (2, 1, 1, 19), [DENSE, DENSE], "relaxed", 3)
        np.testing.assert_array_equal(got.output, 1)
