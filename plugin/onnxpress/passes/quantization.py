"""A quantized graph while `lower_qdq` rewrites it: which values are integers times a scale."""

from dataclasses import dataclass, replace

import numpy as np

from ..graph.expr import Expr, call, inp
from ..graph.graph import Attrs, Graph, Node
from ..ops.pointwise import Pointwise, quant_of
from .draft import Draft

RANGES = {"i8": (-128, 127), "u8": (0, 255), "i16": (-32768, 32767), "u16": (0, 65535)}


@dataclass(frozen=True, slots=True)
class Quantized:
    """A value that equals `name` * `scale`, where `scale` is one number or one per channel.

    The elements of `name` lie in lo..hi. They are integers, held in f32, if `whole`.
    """

    name: str
    scale: np.ndarray
    lo: float
    hi: float
    whole: bool = True

    @property
    def is_per_tensor(self) -> bool:
        return self.scale.size == 1

    @property
    def unit(self) -> np.float32:
        """The scale of a per-tensor value."""
        return np.float32(self.scale.item())


@dataclass(frozen=True, slots=True)
class Quantizer:
    """A quantize with one scale for a tensor: q - zero = clamp(round(x / scale), lo, hi)."""

    node: Node
    scale: np.float32
    zero: float
    lo: float
    hi: float

    def clamped(self, integers: Expr) -> Expr:
        """`integers` with the bounds lo and hi applied."""
        return call("min", call("max", integers, self.lo), self.hi)

    def rounded(self, ratio: Expr) -> Expr:
        """q - zero, where `ratio` is x / scale."""
        return self.clamped(call("round", ratio))


class Memory:
    """The draft of a quantized graph, and what is known about the old graph's values.

    `quantized`: a dequantized value's name -> its integers and scale. `centred`: a quantized
    value's name -> (its integers minus the zero point with scale 1, the zero point).
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.draft = Draft(graph)
        self.readers = graph.consumers()
        self.quantized: dict[str, Quantized] = {}
        self.centred: dict[str, tuple[Quantized, float]] = {}

    # --- facts ---

    def factors(self, node: Node) -> tuple[np.ndarray, np.ndarray] | None:
        """(scale, zero point) of a quantize or dequantize; None if one of them is computed."""
        if not all(n in self.graph.constants for n in node.inputs[1:]):
            return None
        values = [self.graph.constants[n] for n in node.inputs[1:]]
        return values[0], values[1] if len(values) > 1 else np.zeros((), np.float32)

    def quantizer(self, node: Node) -> Quantizer | None:
        """`node` as a quantizer; None unless it quantizes with one scale for the whole tensor."""
        factors = self.factors(node) if is_kind(node, "quantize") else None
        if factors is None or factors[0].size > 1:
            return None
        scale, zero = np.float32(factors[0].item()), float(factors[1].item())
        lo, hi = RANGES[self.graph.values[node.name].dtype]
        return Quantizer(node, scale, zero, lo - zero, hi - zero)

    def quantizer_behind(self, node: Node) -> Quantizer | None:
        """The per-tensor quantize that is the only reader of `node`; None if there is no such one.

        Bounds between the two (ReLU, Clip) narrow its range.
        """
        low, high = -np.inf, np.inf
        while node.name not in self.graph.outputs and len(self.readers[node.name]) == 1:
            (node,) = self.readers[node.name]
            found = self.quantizer(node)
            if found:
                low, high = (float(np.rint(np.float32(b) / found.scale)) for b in (low, high))
                return replace(found, lo=max(found.lo, min(low, found.hi)),
                               hi=min(found.hi, max(high, found.lo)))
            bounds = _bounds(node.attrs.expr) if isinstance(node.attrs, Pointwise) else None
            if bounds is None or len(node.inputs) != 1:
                return None
            low, high = (min(max(b, bounds[0]), bounds[1]) for b in (low, high))
        return None

    # --- changes ---

    def plainly(self, value: str) -> str:
        """The name of the value itself; integers that stand for it are multiplied out."""
        if value in self.draft.makers:
            return value
        shape = self.graph.shape(value)
        if value in self.centred:
            integers, zero = self.centred[value]
            return self.draft.add(Pointwise(expr=inp(0) + zero), (integers.name,), shape, value)
        known = self.quantized.get(value)
        if known is None:
            return value
        if known.name in self.draft.constants and value not in self.graph.outputs:
            array = self.draft.constants[known.name] * known.scale
            return self.draft.constant(f"{value}.floats", array)
        if known.is_per_tensor:
            attrs = Pointwise(expr=inp(0) * float(known.unit))
            return self.draft.add(attrs, (known.name,), shape, value)
        scale = self.draft.constant(f"{value}.scale", known.scale)
        return self.draft.add(Pointwise(expr=inp(0) * inp(1)), (known.name, scale), shape, value)

    def emit(self, quantizer: Quantizer, attrs: Attrs, inputs: tuple[str, ...]) -> None:
        """Adds the node that computes q - zero of `quantizer`, and remembers it."""
        out = quantizer.node.name
        name = self.draft.fresh(f"{out}.steps")
        self.draft.add(attrs, inputs, self.graph.shape(out), name)
        one = np.ones((), np.float32)
        self.remember(quantizer, Quantized(name, one, quantizer.lo, quantizer.hi))

    def remember(self, quantizer: Quantizer, integers: Quantized) -> None:
        """From here on, the result of `quantizer` is known as `integers` plus its zero point."""
        self.centred[quantizer.node.name] = integers, quantizer.zero


def is_kind(node: Node, kind: str) -> bool:
    """Whether the importer marked `node` as "quantize" or "dequantize"."""
    quant = quant_of(node)
    return quant is not None and quant.kind == kind


def _bounds(expr: Expr) -> tuple[float, float] | None:
    """(lo, hi) if the expression is min(max($0, lo), hi); a bound that is absent is infinite."""
    if expr == inp(0):
        return -np.inf, np.inf
    if expr.op not in ("min", "max") or expr.args[1].op != "const":
        return None
    inner = _bounds(expr.args[0])
    if inner is None:
        return None
    bound = expr.args[1].value
    low, high = (min(b, bound) if expr.op == "min" else max(b, bound) for b in inner)
    return low, high
