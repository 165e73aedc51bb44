"""Graph -> two WebAssembly modules, "relaxed" (fused multiply-add) and "simd128".

Both share one LinearPlan, so their addresses and weight placements are equal. A module imports its
`memory` and a `barrier(threads)`. It exports `run`, `step(i)` and `phase(i)`, where i counts the
phases of all steps. Their further parameters are (thread, threads, address of the thread's own
memory). It also exports one decoder for each encoding of its constants, and one packer for each
packed layout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ...emit.layout import LinearPlan
from ...emit.wasm import decode as wasm_decode
from ...emit.wasm import packers
from ...emit.wasm.asm import I32, Function, custom_section
from ...emit.wasm.emitter import STEP, Emitter
from ...emit.wasm.share import call_in_turn, in_turn, meet
from ...errors import fault_at
from ...graph.graph import Graph
from ...kernels import linear_kernel
from ...pack.targets import Linear, Wasm
from ...run.wasmtime import TracedProgram
from ..describe import describe
from ..program import Program
from .exchange import Exchange, exchange
from .slices import each_slice, plan_slices
from .threads import MOST_WORKERS, paying, paying_workers, seconds, worth_workers
from .trace import traced

ISAS = ("relaxed", "simd128")


def build(graph: Graph) -> Program[Wasm]:
    """The two modules of `graph` and the manifest's facts about them.

    Raises:
        PlanError: an operator has no WebAssembly kernel.
    """
    plan = plan_slices(graph)
    modules = {isa: emit_module(plan, isa) for isa in ISAS}
    return Program("wasm", *publish(modules, describe(plan, graph)))


@dataclass(frozen=True)
class Emitted:
    """A module's bytes. `steps`: the phases of each step; `pieces`: into how many pieces each step
    can be cut. These and `emitter` tell how workers can share the module."""

    code: bytes
    emitter: Emitter
    steps: Sequence[Sequence[Function]]
    pieces: Sequence[int]


def emit_module(plan: LinearPlan, isa: str, own: Mapping[str, np.ndarray] = {}) -> Emitted:
    """The module of `plan`. It contains the constants in `own`; the others are placed at load."""
    e = Emitter(isa, plan)
    steps, pieces = [], []
    for i, step in enumerate(plan.steps):
        e.begin(f"step{i}")
        with fault_at(f'{step.node.op} "{step.node.name}" in WebAssembly'):
            linear_kernel(step.node, "wasm").emit(step, e)
        steps.append(e.end())
        pieces.append(e.pieces)
    for weight in plan.weights:
        if weight.constant in own:
            kind = {"raw": "<f4", "i32": "<i4"}[weight.packing.kind]
            content = own[weight.constant].astype(kind).tobytes()
            e.module.segments.append((4 * weight.offset, content))
        else:
            wasm_decode.export_all(e)
            packers.export_all(weight.packing.kind, e)
    whole = [in_turn(e, f"step{i}", phases) if len(phases) > 1 else phases[0]
             for i, phases in enumerate(steps)]
    _run(e, whole)
    _switch(e, "step", whole, e.plan.times)
    _switch(e, "phase", [phase for phases in steps for phase in phases])
    return Emitted(e.encode(), e, steps, pieces)


def _run(e: Emitter, steps: Sequence[Function]) -> None:
    """The export run(part, parts, own): all steps, for each slice."""
    barrier, run = meet(e), Function("run", [I32] * len(STEP))
    with each_slice(e.plan, run, barrier):
        call_in_turn(run, steps, barrier)
    e.module.add(run, export=True)


def _switch(e: Emitter, name: str, functions: Sequence[Function], times: int = 1) -> None:
    """The export name(i, part, parts, own), which calls function i `times` times."""
    one = e.module.add(Function(name, [I32] * (1 + len(STEP))), export=True)
    left = one.local(I32)
    one.i32(times).set(left)
    with one.times(left):
        for i, function in enumerate(functions):
            one.get(0).i32(i).op("i32.eq")
            with one.if_():
                one.get(*(1 + p for p in STEP)).call(function)


def publish(modules: Mapping[str, Emitted], about: Linear, workers: bool = True
            ) -> tuple[dict[str, tuple[bytes, str]], Wasm]:
    """(files, facts) of modules that differ in instructions only; the facts are for the manifest.

    Adds to `about`: `pages` (64 KiB each, for one thread), `bytes_per_thread`, and `threads`,
    beyond which more do not pay. Adds `workers` and `most_workers` for workers that share no
    memory. With the argument `workers`, each file gets a section with the messages of such workers.
    """
    first = next(iter(modules.values()))
    e, phases = first.emitter, [len(phases) for phases in first.steps]
    found: list[Exchange] = []
    if workers and not e.plan.slices and worth_workers(e.plan):
        program = TracedProgram(*traced(e))
        found = [exchange(e.plan, phases, list(seconds(e.plan)), program, n)
                 for n in range(2, MOST_WORKERS + 1)]
    told = chain([len(phases)], phases, *(x.numbers() for x in found))
    section = custom_section("exchange", told) if found else b""
    files = {name: (module.code + section, "wasm") for name, module in modules.items()}
    return files, Wasm(**vars(about), pages=e.pages, bytes_per_thread=e.mine,
                       threads=paying(e.plan, first.pieces), workers=paying_workers(e.plan, found),
                       most_workers=max((x.workers for x in found), default=1))
