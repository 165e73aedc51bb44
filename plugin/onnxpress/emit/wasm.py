"""Graph -> two WebAssembly modules, "relaxed" (fused multiply-add) and "simd128".

Both share one LinearPlan, so their addresses and weight placements are equal. A module imports its
`memory` and a `barrier(threads)`, and exports `run` and `step(i)`, whose further parameters are
(thread, threads, address of the thread's own memory), and a packer for each packed layout it uses.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..graph import Graph
from ..kernels import KERNELS
from ..layout import LinearPlan
from . import wasm_packs
from .describe import describe
from .program import Program
from .wasm_asm import I32, Function
from .wasm_emitter import STEP, Emitter
from .wasm_share import meet
from .wasm_slices import each_slice, plan_slices
from .wasm_threads import paying

ISAS = ("relaxed", "simd128")


def build(graph: Graph) -> Program:
    """The two modules of `graph` and the manifest's facts about them.

    Raises:
        PlanError: an operator has no WebAssembly kernel.
    """
    plan = plan_slices(graph)
    modules = {isa: emit_module(plan, isa) for isa in ISAS}
    files = {isa: (code, "wasm") for isa, (code, _) in modules.items()}
    return Program("wasm", files, {**describe(plan, graph), **modules["relaxed"][1]})


def emit_module(plan: LinearPlan, isa: str, own: Mapping[str, np.ndarray] = {}
                ) -> tuple[bytes, dict[str, int]]:
    """The module's bytes, and the facts on its threads; constants in `own` are part of it, the
    others are placed at load."""
    e = Emitter(isa, plan)
    steps, pieces = [], []
    for i, step in enumerate(plan.steps):
        e.begin(f"step{i}")
        KERNELS[step.node.op].wasm.emit(step, e)
        steps.append(e.module.add(e.step))
        pieces.append(e.pieces)
    for slot in plan.slots:
        if slot.constant in own:
            kind = {"raw": "<f4", "i32": "<i4"}[slot.pack.kind]
            content = own[slot.constant].astype(kind).tobytes()
            e.module.segments.append((4 * slot.offset, content))
        elif slot.pack.kind != "raw":
            wasm_packs.export(slot.pack.kind, e)
    _export(e, steps)
    return e.encode(), _threads(e, pieces)


def _export(e: Emitter, steps: Sequence[Function]) -> None:
    """`run` and `step`, which takes one step as often as a run does."""
    barrier = meet(e)
    run = e.module.add(Function("run", [I32] * len(STEP)), export=True)
    one = e.module.add(Function("step", [I32] * (1 + len(STEP))), export=True)
    with each_slice(e.plan, run, barrier):
        for i, function in enumerate(steps):
            if i:
                run.get(STEP[1]).call(barrier)
            run.get(*STEP).call(function)
    left = one.local(I32)
    one.i32(e.plan.times).set(left)
    with one.times(left):
        for i, function in enumerate(steps):
            one.get(0).i32(i).op("i32.eq")
            with one.if_():
                one.get(*(1 + p for p in STEP)).call(function)


def _threads(e: Emitter, pieces: Sequence[int]) -> dict[str, int]:
    """Pages of 64 KiB for one thread, bytes for each of several, and how many threads pay, where
    steps can be cut into `pieces`."""
    return {"pages": e.pages, "bytes_per_thread": e.mine, "threads": paying(e.plan, pieces)}
