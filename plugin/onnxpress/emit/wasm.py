"""Graph -> two WebAssembly modules, "relaxed" (fused multiply-add) and "simd128".

Both share one LinearPlan, so their addresses and weight placements are equal. A module exports
`memory`, `run()`, `step(i)` and a packer for each packed layout it uses.
"""

from ..graph import Graph
from ..kernels import KERNELS
from ..layout import LinearPlan
from ..plan import plan_linear
from . import wasm_packs
from .describe import describe
from .program import Program
from .wasm_asm import I32, Function
from .wasm_emitter import Emitter

ISAS = ("relaxed", "simd128")


def build(graph: Graph) -> Program:
    """The two modules of `graph` and the manifest's facts about them.

    Raises:
        PlanError: an operator has no WebAssembly kernel.
    """
    plan = plan_linear(graph, "wasm")
    files = {isa: (_emit(plan, isa), "wasm") for isa in ISAS}
    return Program("wasm", files, describe(plan, graph))


def _emit(plan: LinearPlan, isa: str) -> bytes:
    e = Emitter(isa, plan)
    steps = []
    for i, step in enumerate(plan.steps):
        e.step = Function(f"step{i}")
        KERNELS[step.node.op].wasm.emit(step, e)
        steps.append(e.module.add(e.step))
    for slot in plan.slots:
        if slot.pack.kind != "raw":
            wasm_packs.export(slot.pack.kind, e)
    run = e.module.add(Function("run"), export=True)
    one = e.module.add(Function("step", [I32]), export=True)
    for i, function in enumerate(steps):
        run.call(function)
        one.get(0).i32(i).op("i32.eq")
        with one.if_():
            one.call(function)
    return e.encode()
