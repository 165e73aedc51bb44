"""Attributes that several operators have, and attributes that one stage of the compiler leaves on a
node for a later stage."""

from dataclasses import dataclass

import numpy as np

from ..graph.expr import Expr, evaluate
from ..graph.graph import Attrs, Node
from ..graph.storage import Dot


@dataclass(frozen=True, kw_only=True)
class Shaped(Attrs):
    """An operator whose operands do not determine the output's shape.

    The graph states that shape with the value. `ops.bound` copies it to `shape` for the operator's
    functions.
    """

    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class AlongAxis(Attrs):
    """An operator that works along one axis of its first operand."""

    axis: int


@dataclass(frozen=True, kw_only=True)
class AlongAxes(Attrs):
    """An operator that works along several axes of its first operand. `axes` is ascending."""

    axes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Movement(Attrs):
    """An operator that only moves elements. `moved`: the operands that the WebGPU kernels of
    neighbouring operators move already; set by programs/webgpu/moves.py."""

    moved: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WithEpilogue(Attrs):
    """An operator that can have an epilogue, a pointwise expression of its result. Input 0 of the
    expression is that result; input i is the operand number `Op.own` + i - 1."""

    epilogue: Expr | None = None


@dataclass(frozen=True, kw_only=True)
class Product(WithEpilogue):
    """A product with weights.

    `exact`: the operands are whole numbers, and f32 holds their sums exactly. Algorithms that would
    round them (Winograd) are forbidden. Set by passes/lower_qdq.py.
    `dot`: how WebAssembly stores the operands and the output if it multiplies whole numbers. Set by
    programs/wasm/int8.py.
    `into`: (concatenation, its first channel) where WebGPU writes the output. Set by
    programs/webgpu/moves.py.
    """

    exact: bool = False
    dot: Dot | None = None
    into: tuple[str, int] | None = None


@dataclass(frozen=True)
class Quant:
    """The importer's mark on the arithmetic of a quantize or dequantize, which `kind` tells apart.

    `scale` and `zero` name the operands with the scale and the zero point; `zero` is None if there
    is no zero point. Both vary along `axis` of the first operand, or not at all if that is None.
    """

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
    """The array `result` after the node's epilogue, whose other operands are `extras`. An epilogue
    may leave the result unread."""
    epilogue = epilogue_of(node)
    if epilogue is None:
        return result
    return np.broadcast_to(evaluate(epilogue, [result, *extras]), result.shape)
