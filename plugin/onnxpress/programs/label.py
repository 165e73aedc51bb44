"""A step's name and the least work that it does, for benchmarks."""

from collections.abc import Mapping, Sequence
from math import prod

from ..graph.graph import Node, Shape
from ..ops import OPS
from ..pack.targets import StepCost


def label(node: Node, inputs: Sequence[tuple[str, Shape]], outputs: Mapping[str, Shape],
          halo: int = 0) -> StepCost:
    """("conv2d 1x56x56x64 -> 1x56x56x64", flops, bytes): the first input and all outputs.

    `bytes`: every input (weights among them) and every output once, in f32. Values that a step
    reads twice or writes in between are not counted again. A step without inputs writes the `halo`
    elements around its output.
    """
    shapes = [shape for _, shape in inputs]
    text = " -> ".join(", ".join("x".join(map(str, shape)) or "scalar" for shape in side)
                       for side in (shapes[:1], outputs.values()) if side)
    touched = sum(map(prod, {**dict(inputs), **outputs}.values())) if inputs else halo
    return f"{node.op} {text}", int(OPS[node.op].flops(node, shapes)), 4 * touched
