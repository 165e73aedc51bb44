"""Which bytes of the heap an operator's WebAssembly program touches, on different data.

Workers that share no memory are told what a share reads as it was traced on a heap of zeros. So an
operator whose addresses come from data must declare the operands it reads so (`Op.reads_by_data`).
"""

from collections.abc import Iterable, Mapping

import numpy as np
from onnxpress.emit.layout import LinearPlan
from onnxpress.graph.graph import Graph
from onnxpress.ops import Op
from onnxpress.programs.plan import plan_linear
from onnxpress.programs.wasm.build import Emitted, emit_module
from onnxpress.programs.wasm.exchange import extent
from onnxpress.programs.wasm.trace import traced
from onnxpress.run.wasmtime import TracedProgram

REACH = 40.0  # indices among the data point beyond both ends of an axis of the cases


def marks(program: TracedProgram, module: Emitted, plan: LinearPlan, seed: int | None
          ) -> list[np.ndarray]:
    """For each step: the marks of all heap elements, u32[phases, elements], when the inputs hold
    random numbers, or zeros if `seed` is None."""
    found, phase = [], 0
    program.heap[: plan.elements] = 0
    if seed is not None:
        for t in plan.inputs:
            random = np.random.default_rng(seed)
            program.heap[t.base : t.base + t.size] = random.uniform(-REACH, REACH, t.size)
    for phases in module.steps:
        each = []
        for _ in phases:
            (touched,) = program.phase(phase, 0, 1, [(0, plan.elements)]) or [None]
            each.append(np.zeros(plan.elements, np.uint32) if touched is None else touched)
            phase += 1
        found.append(np.stack(each))
    return found


def undeclared(graphs: Iterable[Graph], ops: Mapping[str, Op]) -> set[str]:
    """The operators that touch other elements of their tensors and scratch on other data, beyond
    the operands that `ops` declares as read by data."""
    found = set()
    for graph in graphs:
        plan = plan_linear(graph, "wasm")
        module = emit_module(plan, "relaxed")
        program = TracedProgram(*traced(module.emitter))
        on_zeros = marks(program, module, plan, None)
        for seed in range(2):
            on_data = marks(program, module, plan, seed)
            for step, a, b in zip(plan.steps, on_zeros, on_data, strict=True):
                spans = [*map(extent, (*step.inputs, *step.outputs)),
                         (step.scratch, step.scratch + step.room)]
                differs = (a != b).any(0)
                for operand in ops[step.node.op].reads_by_data:
                    differs[slice(*extent(step.inputs[operand]))] = False
                if any(differs[lo:hi].any() for lo, hi in spans):
                    found.add(step.node.op)
    return found
