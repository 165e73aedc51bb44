"""The manifest's facts about a linear program (wasm, js); offsets count f32 elements."""

from math import prod
from typing import Any

from ..graph import Graph
from ..layout import LinearPlan, Step, Tensor
from ..ops import OPS


def describe(plan: LinearPlan, graph: Graph) -> dict[str, Any]:
    """Heap, weight placements, inputs, outputs, and a label with its flops for each step."""
    return {
        "elements": plan.elements,
        "staging": plan.staging,
        "weights": [
            {"tensor": s.constant, "offset": s.offset, "pack": s.pack.kind,
             "args": list(s.pack.args)}
            for s in plan.slots
        ],
        "inputs": [_place(n, t) for n, t in zip(graph.inputs, plan.inputs, strict=True)],
        "outputs": [_place(n, t) for n, t in zip(graph.outputs, plan.outputs, strict=True)],
        "steps": [_label(s) for s in plan.steps],
    }


def _place(name: str, tensor: Tensor) -> dict[str, Any]:
    return {"name": name, "offset": tensor.offset, "length": prod(tensor.shape)}


def _label(step: Step) -> list[Any]:
    """["conv2d 56x56x64 -> 56x56x64", flops]; steps that only the planner makes have no flops."""
    shapes = [t.shape for t in step.inputs]
    sides = [*shapes[:1], step.outputs[0].shape]
    text = " -> ".join("x".join(map(str, s)) or "scalar" for s in sides)
    op = OPS.get(step.node.op)
    return [f"{step.node.op} {text}", int(op.flops(step.node, shapes)) if op else 0]
