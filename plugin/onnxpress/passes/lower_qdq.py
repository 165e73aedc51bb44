"""Turns quantize-dequantize models into arithmetic on whole numbers held in f32.

A quantized value q is kept as q - zero, so that padding with 0 stays right; a dequantized value is
known as (whole numbers, scale) and not computed until somebody needs it as such.

1. dequantize(constant), dequantize(x): remembered as whole numbers and a scale.
2. transpose, reshape, slice, expand, resize, pad by 0 or by mode, pools, mean, and concat of equal
   scales: run on the whole numbers; a mean of them is no longer whole.
3. convolution or matmul of such operands: multiplies whole numbers, exactly while the sums stay
   below 2**24; its attribute `exact` forbids algorithms that would round (Winograd). With bounds
   and a quantize behind it, the epilogue is
   clamp(round(acc * m[c])), m = (x_scale * w_scale) / y_scale in f32, as in QLinearConv.
4. a + b between dequantize and quantize: round(a * (sa / s) + b * (sb / s) + zero) - zero;
   a * b: round(a * b * (sa * sb / s) + zero) - zero; only an odd zero makes a difference, to
   halves.
5. mean between dequantize and quantize: clamp(round(mean * (sx / s))).
6. quantize of a value that is whole numbers of the same scale in range: nothing.
7. Any other operator gets x * scale, and its quantized result is clamp(round(x / s)).
8. Scales per axis of anything but weights, or computed scales: left as ordinary arithmetic.

Source of 3 to 5: ONNX Runtime's x86 kernels (MlasRequantizeOutput, MlasQLinearAdd, MlasQLinearMul,
MlasQLinearGlobalAveragePool), whose results decide which side of a half a value falls on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..expr import Expr, call, inp, substitute
from ..graph import Graph, Node
from .draft import Draft

EXACT = 2.0**24  # f32 holds every whole number below
VISIBLE = 1 / 16  # of a step: less than what a rounding of the scales moves a result by
RANGES = {"i8": (-128, 127), "u8": (0, 255), "i16": (-32768, 32767), "u16": (0, 65535),
          "i32": (-(2**31), 2**31 - 1)}
MOVES = ("transpose", "reshape", "slice", "expand", "concat", "pad")
MIXES = ("reduce", "pool2d", "resize2d")  # of positive weights that sum to 1, or a maximum
TAPS = ("rows", "cols")  # of resize2d: (indices, weights)
LINEAR = ("conv2d", "matmul")

Note = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Steps:
    """A value that is `name` * `scale`; the elements of `name` lie in lo..hi and are whole
    numbers if `whole`."""

    name: str
    scale: np.ndarray
    lo: float
    hi: float
    whole: bool = True


def lower_qdq(graph: Graph, note: Note) -> Graph:
    if not any("quant" in node.attrs for node in graph.nodes):
        return graph
    lowering = _Lowering(graph, note)
    for node in graph.nodes:
        lowering.visit(node)
    for name in graph.outputs:
        lowering.plainly(name)
    return lowering.draft.finish()


class _Lowering:
    """`steps` of dequantized values, `centred` of quantized ones (scale 1), by their old names."""

    def __init__(self, graph: Graph, note: Note) -> None:
        self.graph, self.note = graph, note
        self.draft = Draft(graph)
        self.readers = graph.consumers()
        self.steps: dict[str, Steps] = {}
        self.centred: dict[str, tuple[Steps, float]] = {}
        self.done: set[str] = set()

    def visit(self, node: Node) -> None:
        kind = node.attrs.get("quant", {}).get("kind")
        if node.name in self.done:
            return
        if kind == "quantize" and self.is_per_tensor(node):
            self.quantize(node)
        elif kind == "dequantize" and self.is_constant(node.inputs[1:]) and self.dequantize(node):
            return
        elif node.op in LINEAR and self.linear(node):
            return
        elif node.op in (*MOVES, *MIXES) and self.move(node):
            return
        elif node.op == "pointwise" and self.binary(node):
            return
        else:
            self.plain(node)

    # --- operands ---

    def is_constant(self, names: tuple[str, ...]) -> bool:
        return all(n in self.graph.constants for n in names)

    def is_per_tensor(self, node: Node) -> bool:
        return self.is_constant(node.inputs[1:]) and all(
            self.graph.constants[n].size == 1 for n in node.inputs[1:])

    def scale_and_zero(self, node: Node) -> tuple[np.ndarray, np.ndarray]:
        values = [self.graph.constants[n] for n in node.inputs[1:]]
        return values[0], values[1] if len(values) > 1 else np.zeros((), np.float32)

    def range(self, node: Node) -> tuple[float, float, float]:
        """(zero, lo - zero, hi - zero) of a per-tensor quantize."""
        zero = float(self.scale_and_zero(node)[1].item())
        lo, hi = RANGES[self.graph.values[node.name].dtype]
        return zero, lo - zero, hi - zero

    def plainly(self, value: str) -> str:
        """The name of the value itself, computed if it is only known as steps."""
        if value in self.draft.makers:
            return value
        if value in self.centred:
            steps, zero = self.centred[value]
            return self.draft.add("pointwise", (steps.name,), self.graph.shape(value), value,
                                  expr=inp(0) + zero)
        known = self.steps.get(value)
        if known is None:
            return value
        if known.name in self.draft.constants and value not in self.graph.outputs:
            array = self.draft.constants[known.name] * known.scale
            return self.draft.constant(f"{value}.floats", array)
        shape = self.graph.shape(value)
        if known.scale.size == 1:
            expr = inp(0) * float(known.scale.item())
            return self.draft.add("pointwise", (known.name,), shape, value, expr=expr)
        scale = self.draft.constant(f"{value}.scale", known.scale)
        return self.draft.add("pointwise", (known.name, scale), shape, value,
                              expr=inp(0) * inp(1))

    def quantized_behind(self, node: Node) -> tuple[Node, float, float] | None:
        """The only reader of `node`, if it quantizes per tensor, and the clamped range of its
        steps; bounds in between (ReLU, Clip) narrow it."""
        low, high = -np.inf, np.inf
        while node.name not in self.graph.outputs and len(self.readers[node.name]) == 1:
            (node,) = self.readers[node.name]
            if node.attrs.get("quant", {}).get("kind") == "quantize":
                if not self.is_per_tensor(node):
                    return None
                _, lo, hi = self.range(node)
                scale = np.float32(self.scale_and_zero(node)[0].item())
                low, high = (float(np.rint(np.float32(b) / scale)) for b in (low, high))
                return node, max(lo, min(low, hi)), min(hi, max(high, lo))
            bounds = _bounds(node.attrs["expr"]) if node.op == "pointwise" else None
            if bounds is None or len(node.inputs) != 1:
                return None
            low, high = (min(max(b, bounds[0]), bounds[1]) for b in (low, high))
        return None

    # --- nodes ---

    def plain(self, node: Node) -> None:
        """Case 7, for readers of steps."""
        attrs = {k: v for k, v in node.attrs.items() if k != "quant"}
        if node.op != "pointwise":
            inputs = tuple(map(self.plainly, node.inputs))
            self.draft.keep(Node(node.op, inputs, node.outputs, attrs))
            return
        names, parts = [], []
        for i, name in enumerate(node.inputs):
            known = self.steps.get(name)
            inline = known is not None and known.scale.size == 1
            names.append(known.name if known and inline else self.plainly(name))
            parts.append(inp(i) * float(known.scale.item()) if known and inline else inp(i))
        attrs["expr"] = substitute(attrs["expr"], parts)
        self.draft.keep(Node("pointwise", tuple(names), node.outputs, attrs))

    def dequantize(self, node: Node) -> bool:
        source, (scale, zero) = node.inputs[0], self.scale_and_zero(node)
        if source in self.graph.constants:
            whole = self.graph.constants[source] - zero
            name = self.draft.constant(f"{source}.steps", whole)
            lo, hi = float(whole.min()), float(whole.max())
            self.steps[node.name] = Steps(name, scale, lo, hi)
            return True
        if scale.size > 1 or source not in self.centred:
            return False
        steps, own_zero = self.centred[source]
        if zero.size > 1 or zero.item() != own_zero:
            return False
        self.steps[node.name] = replace(steps, scale=scale)
        return True

    def quantize(self, node: Node) -> None:
        """Cases 5, 6 and 7."""
        scale = np.float32(self.scale_and_zero(node)[0].item())
        _, lo, hi = self.range(node)
        known = self.steps.get(node.inputs[0])
        if known is None:
            self.emit_steps(node, Node("pointwise", node.inputs[:1], node.outputs,
                                       {"expr": _clamped(inp(0) / float(scale), lo, hi)}), lo, hi)
            return
        same = bool(known.whole and known.scale.size == 1 and known.scale.item() == scale)
        if same and lo <= known.lo and known.hi <= hi and known.name not in self.draft.constants:
            self.remember(node, known)
            return
        number = float(known.scale.item())
        steps = inp(0) * number / float(scale) if known.whole else \
            inp(0) * float(np.float32(number) / scale)
        self.emit_steps(node, Node("pointwise", (known.name,), node.outputs,
                                   {"expr": _clamped(steps, lo, hi)}), lo, hi)

    def emit_steps(self, quantize: Node, node: Node, lo: float, hi: float) -> None:
        """Adds `node`, which computes the centred result of `quantize`."""
        name = self.draft.fresh(f"{quantize.name}.steps")
        self.draft.add(node.op, node.inputs, self.graph.shape(quantize.name), name, **node.attrs)
        self.remember(quantize, Steps(name, np.ones((), np.float32), lo, hi))

    def remember(self, node: Node, steps: Steps) -> None:
        """`node` is a quantize whose result, less its zero, is `steps`."""
        self.centred[node.name] = steps, self.range(node)[0]
        self.done.add(node.name)

    def move(self, node: Node) -> bool:
        """Case 2."""
        if node.op in MOVES[:4] and node.inputs[0] in self.centred:
            self.move_integers(node)
            return True
        known = [self.steps.get(n) for n in node.inputs]
        if node.op == "reduce" and node.attrs["kind"] != "mean":
            return False
        if node.op == "pad" and node.attrs["mode"] == "constant" and node.attrs.get("value", 0):
            return False
        if None in known or len({(k.scale.tobytes(), k.scale.size) for k in known}) != 1:
            return False
        if known[0].scale.size != 1:
            return False
        name = self.draft.fresh(f"{node.name}.steps")
        self.draft.add(node.op, tuple(k.name for k in known), self.graph.shape(node.name), name,
                       **node.attrs)
        picks = node.op in MOVES or node.attrs.get("kind") == "max" or (
            node.op == "resize2d" and all(set(node.attrs[k][1]) == {(1.0,)} for k in TAPS))
        whole = picks and all(k.whole for k in known)
        lo, hi = min(k.lo for k in known), max(k.hi for k in known)
        if node.op == "pad" and node.attrs["mode"] == "constant":
            lo, hi = min(lo, 0.0), max(hi, 0.0)
        self.steps[node.name] = Steps(name, known[0].scale, lo, hi, whole)
        return True

    def move_integers(self, node: Node) -> None:
        """Case 2 between quantize and dequantize."""
        steps, zero = self.centred[node.inputs[0]]
        name = self.draft.fresh(f"{node.name}.steps")
        self.draft.add(node.op, (steps.name,), self.graph.shape(node.name), name, **node.attrs)
        self.centred[node.name] = replace(steps, name=name), zero

    def binary(self, node: Node) -> bool:
        """Case 4."""
        expr: Expr = node.attrs["expr"]
        known = [self.steps.get(n) for n in node.inputs]
        behind = self.quantized_behind(node)
        if (behind is None or len(known) != 2 or None in known
                or expr not in (inp(0) + inp(1), inp(0) * inp(1))
                or any(k.scale.size != 1 for k in known)):
            return False
        quantize, lo, hi = behind
        zero = self.range(quantize)[0]
        scale = np.float32(self.scale_and_zero(quantize)[0].item())
        a, b = (np.float32(k.scale.item()) for k in known)
        if expr.op == "add":
            steps = inp(0) * float(a / scale) + inp(1) * float(b / scale)
        else:
            steps = inp(0) * inp(1) * float(a * b / scale)
        steps = call("round", steps + zero) - zero if zero % 2 else call("round", steps)
        bounded = call("min", call("max", steps, lo), hi)
        self.emit_steps(quantize, Node("pointwise", tuple(k.name for k in known), (node.name,),
                                       {"expr": bounded}), lo, hi)
        return True

    def linear(self, node: Node) -> bool:
        """Case 3."""
        x, w = (self.steps.get(n) for n in node.inputs[:2])
        bias = self.steps.get(node.inputs[2])
        if x is None or w is None or not x.whole or x.scale.size != 1:
            return False
        weights = self.draft.constants.get(w.name)
        if weights is None or w.scale.size not in (1, *w.scale.shape[-1:]):
            self.note(f"%{node.name}", "stays in f32: its weights are not whole numbers with a "
                                       "scale per output channel")
            return False
        out = weights.shape[-1]
        unit = np.broadcast_to(np.float32(x.scale.item()) * w.scale.reshape(-1), (out,))
        if bias is not None:
            offset = self.draft.constants[bias.name]
        else:
            offset = _whole(self.graph.constants[node.inputs[2]].astype(np.float64) / unit)
        inputs = (x.name, w.name, self.draft.constant(f"{node.name}.bias", offset))
        behind = self.quantized_behind(node)
        attrs = {**node.attrs, "exact": True}
        if behind is None:
            extra = self.draft.constant(f"{node.name}.scale", unit)
            attrs["epilogue"] = inp(0) * inp(1)
            self.draft.keep(Node(node.op, (*inputs, extra), node.outputs, attrs))
            return True
        quantize, lo, hi = behind
        factor = unit / np.float32(self.scale_and_zero(quantize)[0].item())
        lost = float((self.largest_sums(x, weights, offset) / EXACT * factor).max())
        if lost > VISIBLE:
            self.note(f"%{node.name}", f"its sums exceed 2**24: a result may be {lost:.2f} steps "
                                       "away before rounding")
        extra = self.draft.constant(f"{node.name}.scale", factor)
        attrs["epilogue"] = _clamped(inp(0) * inp(1), lo, hi)
        self.emit_steps(quantize, Node(node.op, (*inputs, extra), node.outputs, attrs), lo, hi)
        return True

    def largest_sums(self, x: Steps, weights: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """[O], the largest magnitude that any partial sum of a channel can take."""
        total = np.abs(weights).sum(axis=tuple(range(weights.ndim - 1)), dtype=np.float64)
        return max(-x.lo, x.hi) * total + np.abs(offset)


def _whole(steps: np.ndarray) -> np.ndarray:
    """`steps` rounded, if f32 rounding is all that keeps them from being whole."""
    nearest = np.rint(steps)
    slack = np.finfo(np.float32).eps * np.maximum(np.abs(nearest), 1)
    return nearest if (np.abs(steps - nearest) <= 2 * slack).all() else steps


def _clamped(steps: Expr, lo: float, hi: float) -> Expr:
    return call("min", call("max", call("round", steps), lo), hi)


def _bounds(expr: Expr) -> tuple[float, float] | None:
    """(lo, hi) if the expression is min(max($0, lo), hi), either bound perhaps absent."""
    if expr == inp(0):
        return -np.inf, np.inf
    if expr.op not in ("min", "max") or expr.args[1].op != "const":
        return None
    inner = _bounds(expr.args[0])
    if inner is None:
        return None
    bound = expr.args[1].value
    return tuple(min(b, bound) if expr.op == "min" else max(b, bound) for b in inner)
