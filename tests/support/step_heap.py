"""Heaps full of guards: which elements a wasm program or one step of it, run in wasmtime, had no
right to change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import wasmtime
from onnxpress.emit.layout import SLACK, LinearPlan, Step, Tensor, Want
from onnxpress.emit.wasm.emitter import Emitter
from onnxpress.emit.wasm.share import in_turn
from onnxpress.graph.graph import Graph, Node, Value
from onnxpress.kernels import linear_kernel
from onnxpress.programs.layouts import tensor_of
from onnxpress.programs.plan import plan_linear
from onnxpress.programs.wasm.build import ISAS
from onnxpress.run.wasmtime import WasmProgram
from support.lockstep import Lockstep

GUARD = np.float32(-12345.678)


@dataclass(frozen=True)
class Result:
    """`output` by shape, and `heap` before and after with the elements `free` to hold anything."""

    output: np.ndarray
    before: np.ndarray
    after: np.ndarray
    free: np.ndarray

    @property
    def damage(self) -> np.ndarray:
        """Indices of heap elements that changed though they are neither output nor free."""
        changed = self.before.view(np.int32) != self.after.view(np.int32)
        return np.flatnonzero(changed & ~self.free)


def place(name: str, shape: Sequence[int], layout: Want, base: int) -> Tensor:
    """A tensor with its memory at `base`."""
    t = tensor_of(name, tuple(shape), layout)
    return Tensor(t.name, t.shape, t.strides, t.offset + base, base, t.size, t.halo)


def indices(t: Tensor, shape: Sequence[int] | None = None) -> np.ndarray:
    """The heap index of every element of `t`, or of `shape` with its strides."""
    grids = np.ix_(*(np.arange(n) * s for n, s in zip(shape or t.shape, t.strides, strict=True)))
    return t.offset + sum(grids, np.zeros((), np.int64))


def run_step(node: Node, arrays: Sequence[np.ndarray], out_shape: Sequence[int],
             layouts: Sequence[Want], isa: str, threads: int = 1) -> Result:
    """`node` on `arrays`; layouts[i] is input i's, the last one the output's."""
    shapes = [*(a.shape for a in arrays), tuple(out_shape)]
    names = [*(f"x{i}" for i in range(len(arrays))), "y"]
    base, tensors = SLACK, []
    for name, shape, layout in zip(names, shapes, layouts, strict=True):
        tensors.append(place(name, shape, layout, base))
        base += tensors[-1].size + SLACK
    values = {n: Value(tuple(s)) for n, s in zip(names, shapes, strict=True)}
    named = Node(node.attrs, tuple(names[:-1]), ("y",))
    graph = Graph(tuple(names[:-1]), ("y",), (named,), values, {})
    scratch = linear_kernel(named, "wasm").needs(named, graph).scratch
    step = Step(named, tuple(tensors[:-1]), (tensors[-1],), base)
    elements = base + scratch + SLACK

    before = np.full(elements, GUARD, np.float32)
    for t, array in zip(tensors, arrays, strict=False):
        before[indices(t)] = array
    after = execute(lambda e: linear_kernel(named, "wasm").emit(step, e), before, isa, threads)
    y = tensors[-1]
    free = np.zeros(elements, bool)
    free[base : base + scratch] = True
    free[indices(y)] = True
    if len(y.shape) == 4:
        free[indices(y, (*y.shape[:3], min(y.strides[2], -(-y.shape[3] // 4) * 4)))] = True
    return Result(after[indices(y)], before, after, free)


@cache
def engine(isa: str) -> wasmtime.Engine:
    """Compiles quickly rather than well: a test's module runs once."""
    config = wasmtime.Config()
    config.wasm_relaxed_simd = isa == "relaxed"
    config.cranelift_opt_level = "none"
    return wasmtime.Engine(config)


def emitter(isa: str, elements: int = 0) -> Emitter:
    """An empty module over a heap of so many f32."""
    assert isa in ISAS
    return Emitter(isa, LinearPlan("wasm", (), (), (), (), 0, elements))


def execute(emit: Callable[[Emitter], None], heap: np.ndarray, isa: str, threads: int = 1
            ) -> np.ndarray:
    """The heap after the step that `emit` writes has run on it."""
    e = emitter(isa, heap.size)
    e.begin("go")
    emit(e)
    in_turn(e, "go", e.end(), export=True)
    program = Lockstep(engine(isa), e.encode(), heap, threads, e.mine)
    return program.run("go")[: heap.size]


def owned(graph: Graph, program: WasmProgram) -> np.ndarray:
    """Which elements of a program's heap some weight, tensor or scratch owns, with its slack."""
    plan = plan_linear(graph, "wasm")
    mask = np.zeros(program.heap.size, bool)
    mask[plan.elements :] = True  # constant tables
    for weight in plan.weights:
        mask[weight.offset : weight.offset + weight.packing.elements + SLACK] = True
    for step in plan.steps:
        for t in (*step.inputs, *step.outputs):
            mask[t.base : t.base + t.size + SLACK] = True
        if step.scratch:
            need = linear_kernel(step.node, "wasm").needs(step.node, graph)
            mask[step.scratch : step.scratch + need.scratch + SLACK] = True
    return mask
