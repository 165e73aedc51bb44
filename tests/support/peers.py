"""A WebAssembly program on workers that share no memory, each a wasmtime instance whose heap holds
the constants and inputs and NaN elsewhere. They are told what the exchange says and nothing else,
so one message too few makes the result wrong on every run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from onnxpress.emit.layout import LinearPlan
from onnxpress.graph.graph import Graph
from onnxpress.programs.describe import describe
from onnxpress.programs.plan import plan_linear
from onnxpress.programs.wasm.build import Emitted, emit_module
from onnxpress.programs.wasm.exchange import Exchange, Message, exchange
from onnxpress.programs.wasm.trace import traced
from onnxpress.run.wasmtime import TracedProgram, WasmProgram
from support.graphs import sample_inputs
from support.step_heap import indices

COUNTS = (2, 3, 5)  # workers
GARBAGE = np.uint32(0xFFC0DEAD)  # a NaN; the same number as whole numbers is far from any value


def exchanges(module: Emitted, plan: LinearPlan, counts: Sequence[int]) -> list[Exchange]:
    program = TracedProgram(*traced(module.emitter))
    return [exchange(plan, [len(phases) for phases in module.steps], [1.0] * len(plan.steps),
                     program, workers) for workers in counts]


class Peers:
    """`told`: of the messages; tests leave some out."""

    def __init__(self, module: Emitted, plan: LinearPlan, about: Mapping, constants: Mapping,
                 inputs: list[np.ndarray], told: Exchange) -> None:
        self.told, self.about = told, about
        self.programs = [WasmProgram(module.code, about, constants)
                         for _ in range(told.workers)]
        for program in self.programs:
            program.heap[plan.staging : plan.elements].view(np.uint32)[:] = GARBAGE
            for t, place, array in zip(plan.inputs, about.inputs, inputs, strict=True):
                assert place.offset == indices(t).flat[0]
                program._write(place.offset, array)

    def run(self) -> list[np.ndarray]:
        """The outputs, bit by bit."""
        on_the_way: list[tuple[Message, np.ndarray]] = []
        for phase in range(len(self.told.shared) + 1):
            for message, content in on_the_way:
                if message.before == phase:
                    self.programs[message.receiver].heap[_where(message)] = content
            if phase == len(self.told.shared):
                break
            for worker, program in enumerate(self.programs):
                share = (worker, self.told.workers) if self.told.shared[phase] else (0, 1)
                program.exports["phase"](program.store, phase, *share, 0)
            for message in self.told.messages:
                if message.after == phase:
                    sender = self.programs[message.sender].heap
                    on_the_way.append((message, sender[_where(message)].copy()))
        heap = self.programs[0].heap.view(np.int32)
        return [heap[p.offset : p.offset + p.length].copy() for p in self.about.outputs]


def _where(message: Message) -> np.ndarray:
    return np.concatenate([
        (offset + stride * np.arange(count)[:, None] + np.arange(length)).ravel()
        for offset, length, count, stride in message.runs])


def check_workers(graph: Graph, isa: str = "relaxed",
                  published: Collection[str] | None = None) -> None:
    """Constants that are not `published` lie in the module."""
    plan = plan_linear(graph, "wasm")
    own = {n: c for n, c in graph.constants.items() if published and n not in published}
    module, about = emit_module(plan, isa, own), describe(plan, graph)
    placed = tuple(slot for slot in about.weights if slot.tensor not in own)
    about = replace(about, weights=placed)
    inputs = list(sample_inputs(graph).values())
    alone = WasmProgram(module.code, about, graph.constants).run(inputs)
    for told in exchanges(module, plan, COUNTS):
        several = Peers(module, plan, about, graph.constants, inputs, told).run()
        for one, bits in zip(alone, several, strict=True):
            np.testing.assert_array_equal(bits, one.view(np.int32))
