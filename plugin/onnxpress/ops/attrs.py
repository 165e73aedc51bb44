"""Attributes that several operators have, and attributes that one stage of the compiler leaves on a
node for a later stage."""

from dataclasses import dataclass

import numpy as np

from ..graph.expr import Expr, evaluate
from ..graph.graph import Attrs, Node
from ..graph.storage import Dot


@dataclass(frozen=True, kw_only=True)
class Shaped(Attrs):
    """Of an operator whose output's shape does not follow from its operands'. Graphs state it with
    the value; `ops.bound` copies it to `shape` for the operator's functions."""

    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class AlongAxis(Attrs):
    """Of an operator that works along one axis of its first operand."""

    axis: int


@dataclass(frozen=True, kw_only=True)
class AlongAxes(Attrs):
    """Of an operator that works along several axes of its first operand, in ascending order."""

    axes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Movement(Attrs):
    """Of an operator that only moves elements. `moved`: the operands whose elements WebGPU's
    kernels of neighbours move already (programs/webgpu/moves.py)."""

    moved: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WithEpilogue(Attrs):
    """Of an operator that takes an epilogue: input 0 of the expression is the operator's result,
    its other inputs are the operands from number `Op.own` on."""

    epilogue: Expr | None = None


@dataclass(frozen=True, kw_only=True)
class Product(WithEpilogue):
    """Of a product with weights.

    `exact`: its operands are whole numbers whose sums f32 holds, so algorithms that would round
    them (Winograd) are forbidden; set by passes/lower_qdq.py.
    `dot`: WebAssembly runs it on whole numbers, stored so; set by programs/wasm/int8.py.
    `into`: WebGPU writes its output into this value, a concatenation, from this channel on; set by
    programs/webgpu/moves.py.
    """

    exact: bool = False
    dot: Dot | None = None
    into: tuple[str, int] | None = None


@dataclass(frozen=True)
class Quant:
    """The importer's mark on the arithmetic of a quantize or dequantize (`kind`): the operands that
    hold the scale and the zero point, if there is one, and the axis that they follow, if any."""

    kind: str
    scale: str
    zero: str | None
    axis: int | None

    def __str__(self) -> str:
        return str({"kind": self.kind, "scale": self.scale, "zero": self.zero, "axis": self.axis})


def epilogue_of(node: Node) -> Expr | None:
    """The node's epilogue, if it has one."""
    return node.attrs.epilogue if isinstance(node.attrs, WithEpilogue) else None


def finished(node: Node, result: np.ndarray, extras: list[np.ndarray]) -> np.ndarray:
    """The array `result` after the node's epilogue, whose other operands are `extras`."""
    epilogue = epilogue_of(node)
    return result if epilogue is None else evaluate(epilogue, [result, *extras])
