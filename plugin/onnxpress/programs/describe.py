"""The manifest's facts about a linear program (wasm, js). Offsets count f32 elements."""

from math import prod
from typing import Any

from ..emit.layout import LinearPlan, Step, Tensor
from ..graph.graph import Graph
from .label import label


def describe(plan: LinearPlan, graph: Graph) -> dict[str, Any]:
    """Heap, weight placements, inputs, outputs, and for each step its label, flops and bytes."""
    return {
        "elements": plan.elements,
        "staging": plan.staging,
        "weights": [
            {"tensor": w.constant, "offset": w.offset, "pack": w.packing.kind,
             "args": list(w.packing.args)}
            for w in plan.weights
        ],
        "inputs": [_place(n, t) for n, t in zip(graph.inputs, plan.inputs, strict=True)],
        "outputs": [_place(n, t) for n, t in zip(graph.outputs, plan.outputs, strict=True)],
        "steps": [_label(s, plan.times) for s in plan.steps],
    }


def _place(name: str, tensor: Tensor) -> dict[str, Any]:
    return {"name": name, "offset": tensor.offset, "length": prod(tensor.shape)}


def _label(step: Step, times: int) -> list[Any]:
    outputs = {t.name: t.shape for t in step.outputs}
    halo = sum(t.size - prod(t.shape) for t in step.outputs)
    text, flops, moved = label(step.node, [(t.name, t.shape) for t in step.inputs], outputs, halo)
    return [f"{times} x {text}" if times > 1 else text, times * flops, times * moved]
