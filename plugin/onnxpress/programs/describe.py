"""The manifest's facts about a linear program (wasm, js). Offsets count f32 elements."""

from math import prod

from ..emit.layout import LinearPlan, Step, Tensor
from ..graph.graph import Graph
from ..pack import targets as facts
from ..pack.targets import Linear, Place, WeightPlace
from .label import label


def describe(plan: LinearPlan, graph: Graph) -> Linear:
    """Heap, weight placements, inputs, outputs, and for each step its label, flops and bytes."""
    return Linear(
        elements=plan.elements,
        staging=plan.staging,
        weights=tuple(WeightPlace(w.constant, w.offset, w.packing.kind, tuple(w.packing.args))
                      for w in plan.weights),
        inputs=tuple(map(_place, graph.inputs, plan.inputs)),
        outputs=tuple(map(_place, graph.outputs, plan.outputs)),
        steps=tuple(_label(s, plan.times) for s in plan.steps))


def _place(name: str, tensor: Tensor) -> Place:
    return Place(name, tensor.offset, prod(tensor.shape))


def _label(step: Step, times: int) -> facts.StepCost:
    outputs = {t.name: t.shape for t in step.outputs}
    halo = sum(t.size - -(-prod(t.shape) * t.storage.bytes // 4)
               for t in step.outputs)  # f32 elements
    text, flops, moved = label(step.node, [(t.name, t.shape) for t in step.inputs], outputs, halo)
    return f"{times} x {text}" if times > 1 else text, times * flops, times * moved
