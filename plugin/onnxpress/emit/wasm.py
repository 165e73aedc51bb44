"""Graph -> two WebAssembly modules, "relaxed" (fused multiply-add) and "simd128".

Both share one LinearPlan, so their addresses and weight placements are equal. A module imports its
`memory` and a `barrier(threads)`, and exports `run` and `step(i)`, whose further parameters are
(thread, threads, address of the thread's own memory), and a packer for each packed layout it uses.
"""

from collections.abc import Sequence

from ..graph import Graph
from ..kernels import KERNELS
from ..layout import LinearPlan
from ..plan import plan_linear
from . import wasm_packs
from .describe import describe
from .program import Program
from .wasm_asm import I32, Function
from .wasm_emitter import STEP, Emitter
from .wasm_share import meet
from .wasm_threads import paying

ISAS = ("relaxed", "simd128")


def build(graph: Graph) -> Program:
    """The two modules of `graph` and the manifest's facts about them.

    Raises:
        PlanError: an operator has no WebAssembly kernel.
    """
    plan = plan_linear(graph, "wasm")
    emitted = {isa: _emit(plan, isa) for isa in ISAS}
    files = {isa: (e.encode(), "wasm") for isa, (e, _) in emitted.items()}
    return Program("wasm", files, {**describe(plan, graph), **_threads(*emitted["relaxed"])})


def _threads(e: Emitter, pieces: Sequence[int]) -> dict[str, int]:
    """Pages of 64 KiB for one thread, bytes for each of several, and how many threads pay."""
    return {"pages": e.pages, "bytes_per_thread": e.mine, "threads": paying(e.plan, pieces)}


def _emit(plan: LinearPlan, isa: str) -> tuple[Emitter, list[int]]:
    """The module, and into how many pieces each step can be cut."""
    e = Emitter(isa, plan)
    steps, pieces = [], []
    for i, step in enumerate(plan.steps):
        e.begin(f"step{i}")
        KERNELS[step.node.op].wasm.emit(step, e)
        steps.append(e.module.add(e.step))
        pieces.append(e.pieces)
    for slot in plan.slots:
        if slot.pack.kind != "raw":
            wasm_packs.export(slot.pack.kind, e)
    barrier = meet(e)
    run = e.module.add(Function("run", [I32] * len(STEP)), export=True)
    one = e.module.add(Function("step", [I32] * (1 + len(STEP))), export=True)
    for i, function in enumerate(steps):
        if i:
            run.get(STEP[1]).call(barrier)
        run.get(*STEP).call(function)
        one.get(0).i32(i).op("i32.eq")
        with one.if_():
            one.get(*(1 + p for p in STEP)).call(function)
    return e, pieces
