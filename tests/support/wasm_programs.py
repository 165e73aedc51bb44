"""A graph's WebAssembly program in wasmtime, against the float64 interpreter."""

import numpy as np
from onnxpress.graph.graph import Graph
from onnxpress.ops import OPS
from onnxpress.ops.interpret import interpret
from onnxpress.programs.wasm import build as wasm
from onnxpress.run.wasmtime import WasmProgram
from support.step_heap import GUARD, owned

EPSILON = 2.0**-23


def magnitudes(graph: Graph, feeds: dict) -> float:
    """The largest sum of magnitudes of any output: what rounding errors scale with."""
    constants = {n: np.abs(c) for n, c in graph.constants.items()}
    positive = Graph(graph.inputs, graph.outputs, graph.nodes, graph.values, constants)
    out = interpret(positive, {n: np.abs(a) for n, a in feeds.items()})
    return max(float(np.abs(a).max()) for a in out.values())


def check(graph: Graph, outputs: int = 1) -> None:
    random = np.random.default_rng(5)
    feeds = {n: random.standard_normal(graph.shape(n)).astype(np.float32) for n in graph.inputs}
    wanted = list(interpret(graph, feeds).values())
    assert len(wanted) == outputs
    ulps = sum(OPS[n.op].ulps(n, [graph.shape(i) for i in n.inputs]) for n in graph.nodes)
    built = wasm.build(graph)
    for isa in wasm.ISAS:
        program = WasmProgram(built.files[isa][0], built.about, graph.constants)
        free = owned(graph, program)
        program.heap[~free] = GUARD
        for _ in range(2):  # the second run finds the first one's remains
            found = program.run(list(feeds.values()))
        assert (program.heap[~free] == GUARD).all()
        for got, want in zip(found, wanted, strict=True):
            np.testing.assert_allclose(got.reshape(want.shape), want, rtol=0,
                                       atol=(ulps + 4) * EPSILON * magnitudes(graph, feeds))
