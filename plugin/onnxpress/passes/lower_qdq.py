"""Turns quantize-dequantize models into arithmetic on integers that are held in f32.

A quantized value q is kept as q - zero, so that padding with 0 stays right. A dequantized value is
known as (integers, scale). The product of the two is computed only where an operator needs it.

1. dequantize(constant), dequantize(x): known as integers and a scale; no node is added.
2. Operators that pick or average elements run on the integers. They are transpose, reshape, slice,
   expand, resize, pad by 0 or by mode, pools, mean, and concat of equal scales. An average of
   integers is no longer known to be an integer.
3. A convolution or matmul of integers multiplies them. The sums are exact below 2**24. Its
   attribute `exact` forbids algorithms that would round (Winograd). With bounds and a quantize
   behind it, the epilogue is clamp(round(sum * m[c])), m[c] = (x_scale * w_scale[c]) / y_scale in
   f32, as in QLinearConv.
4. Between dequantize and quantize, with scales sa, sb and s of a, b and the result:
   a + b is round(a * (sa / s) + b * (sb / s) + zero) - zero, and
   a * b is round(a * b * (sa * sb / s) + zero) - zero.
   An even zero point is left out, since only an odd one changes how halves are rounded.
5. A mean of x between dequantize and quantize: clamp(round(mean * (sx / s))).
6. A quantize whose operand already consists of integers of its scale, in its range: no node.
7. Any other operator reads integers * scale; its quantized result is clamp(round(x / s)).
8. Scales that are computed, or that vary along an axis of anything but weights, stay arithmetic.

Source of 3 to 5: ONNX Runtime's x86 kernels (MlasRequantizeOutput, MlasQLinearAdd, MlasQLinearMul,
MlasQLinearGlobalAveragePool). Their order of operations decides how values near a half are rounded.
"""

from dataclasses import replace

import numpy as np

from ..graph.expr import call, inp, substitute
from ..graph.graph import Graph, Node
from ..graph.notes import AddNote
from ..ops import OPS
from ..ops.attrs import Product
from ..ops.move import Expand, Pad, Reshape, Slice, Transpose
from ..ops.pointwise import Pointwise, quant_of
from ..ops.pool import Pool2d
from ..ops.reduce import Reduce
from ..ops.sample import Resize2d
from .quantization import Memory, Quantized, is_kind

EXACT = 2.0**24  # f32 holds every integer up to this magnitude
VISIBLE = 1 / 16  # of one quantization step; rounding the scales to f32 moves a result further
ALIASES = (Transpose, Reshape, Slice, Expand)



def lower_qdq(graph: Graph, note: AddNote) -> Graph:
    if not any(map(quant_of, graph.nodes)):
        return graph
    memory = Memory(graph)
    for node in graph.nodes:
        if node.name not in memory.centred and not _lowered(memory, node, note):
            _plain(memory, node)
    for name in graph.outputs:
        memory.plainly(name)
    return memory.draft.finish()


def _lowered(memory: Memory, node: Node, note: AddNote) -> bool:
    """Whether one of the cases 1 to 6 (or 7, for quantize) deals with `node`."""
    if is_kind(node, "quantize"):
        return _quantize(memory, node)
    if is_kind(node, "dequantize"):
        return _dequantize(memory, node)
    if isinstance(node.attrs, Product):
        return _linear(memory, node, note)
    if isinstance(node.attrs, Pointwise):
        return _binary(memory, node)
    if isinstance(node.attrs, ALIASES) and node.inputs[0] in memory.centred:
        integers, zero = memory.centred[node.inputs[0]]
        memory.centred[node.name] = _rerun(memory, node, [integers]), zero
        return True
    return _move(memory, node)


def _plain(memory: Memory, node: Node) -> None:
    """Case 7 for readers of integers, and case 8."""
    if not isinstance(node.attrs, Pointwise):
        inputs = tuple(map(memory.plainly, node.inputs))
        memory.draft.keep(replace(node, inputs=inputs))
        return
    names, parts = [], []
    for i, name in enumerate(node.inputs):
        known = memory.quantized.get(name)
        inline = known is not None and known.is_per_tensor
        names.append(known.name if known and inline else memory.plainly(name))
        parts.append(inp(i) * float(known.unit) if known and inline else inp(i))
    attrs = replace(node.attrs, expr=substitute(node.attrs.expr, parts), quant=None)
    memory.draft.keep(Node(attrs, tuple(names), node.outputs))


def _dequantize(memory: Memory, node: Node) -> bool:
    """Case 1."""
    source, factors = node.inputs[0], memory.factors(node)
    if factors is None:
        return False
    scale, zero = factors
    if source in memory.graph.constants:
        whole = memory.graph.constants[source] - zero
        name = memory.draft.constant(f"{source}.steps", whole)
        memory.quantized[node.name] = Quantized(name, scale, float(whole.min()), float(whole.max()))
        return True
    if source not in memory.centred:
        return False
    integers, taken = memory.centred[source]
    if scale.size > 1 or zero.size > 1 or zero.item() != taken:
        memory.plainly(source)
        return False
    memory.quantized[node.name] = replace(integers, scale=scale)
    return True


def _quantize(memory: Memory, node: Node) -> bool:
    """Cases 5, 6 and 7."""
    quantizer = memory.quantizer(node)
    if quantizer is None:
        return False
    known, scale = memory.quantized.get(node.inputs[0]), float(quantizer.scale)
    if known is None or not known.is_per_tensor:
        expr = quantizer.rounded(inp(0) / scale)
        memory.emit(quantizer, Pointwise(expr=expr), (memory.plainly(node.inputs[0]),))
        return True
    same = known.whole and known.unit == quantizer.scale
    in_range = quantizer.lo <= known.lo and known.hi <= quantizer.hi
    if same and in_range and known.name not in memory.draft.constants:
        memory.remember(quantizer, known)
        return True
    ratio = inp(0) * float(known.unit) / scale
    if not known.whole:
        ratio = inp(0) * float(known.unit / quantizer.scale)
    memory.emit(quantizer, Pointwise(expr=quantizer.rounded(ratio)), (known.name,))
    return True


def _move(memory: Memory, node: Node) -> bool:
    """Case 2 for operators that read dequantized values."""
    known, attrs = _all_quantized(memory, node), node.attrs
    picks = OPS[node.op].picks(node) or isinstance(attrs, Pad) or (
        isinstance(attrs, Resize2d) and {*attrs.rows[1], *attrs.cols[1]} == {(1.0,)})
    mixes = isinstance(attrs, Resize2d | Pool2d) or (
        isinstance(attrs, Reduce) and attrs.kind == "mean")
    if not (picks or mixes) or not known or not known[0].is_per_tensor:
        return False
    if any(k.scale.size != 1 or k.unit != known[0].unit for k in known):
        return False
    if isinstance(attrs, Pad) and attrs.mode == "constant" and attrs.value:
        return False
    integers = _rerun(memory, node, known)
    memory.quantized[node.name] = replace(integers, whole=integers.whole and picks)
    return True


def _all_quantized(memory: Memory, node: Node) -> list[Quantized]:
    """The operands of `node` as integers with scales; empty unless all are known so."""
    known = [memory.quantized[n] for n in node.inputs if n in memory.quantized]
    return known if len(known) == len(node.inputs) else []


def _rerun(memory: Memory, node: Node, operands: list[Quantized]) -> Quantized:
    """Adds `node` on integers of one scale. A pad adds 0 to the range of the result."""
    name = memory.draft.fresh(f"{node.name}.steps")
    memory.draft.add(node.attrs, tuple(k.name for k in operands), memory.graph.shape(node.name),
                     name)
    lo, hi = min(k.lo for k in operands), max(k.hi for k in operands)
    if isinstance(node.attrs, Pad):
        lo, hi = min(lo, 0.0), max(hi, 0.0)
    return replace(operands[0], name=name, lo=lo, hi=hi, whole=all(k.whole for k in operands))


def _binary(memory: Memory, node: Node) -> bool:
    """Case 4."""
    expr = Pointwise.of(node).expr
    known = _all_quantized(memory, node)
    quantizer = memory.quantizer_behind(node)
    if (quantizer is None or len(known) != 2
            or expr not in (inp(0) + inp(1), inp(0) * inp(1))
            or not all(k.is_per_tensor for k in known)):
        return False
    a, b = (k.unit for k in known)
    if expr.op == "add":
        ratio = inp(0) * float(a / quantizer.scale) + inp(1) * float(b / quantizer.scale)
    else:
        ratio = inp(0) * inp(1) * float(a * b / quantizer.scale)
    odd = quantizer.zero if quantizer.zero % 2 else 0.0
    integers = call("round", ratio + odd) - odd
    memory.emit(quantizer, Pointwise(expr=quantizer.clamped(integers)),
                tuple(k.name for k in known))
    return True


def _linear(memory: Memory, node: Node, note: AddNote) -> bool:
    """Case 3."""
    x, w, bias = (memory.quantized.get(n) for n in node.inputs[:3])
    if x is None or w is None or not x.whole or not x.is_per_tensor:
        return False
    weights = memory.draft.constants.get(w.name)
    if weights is None or w.scale.size not in (1, *w.scale.shape[-1:]):
        note(f"%{node.name}", "stays in f32: its weights are not constants with a scale per "
                              "output channel")
        return False
    unit = np.broadcast_to(x.unit * w.scale.reshape(-1), weights.shape[-1:])
    offset = memory.draft.constants[bias.name] if bias else _whole(
        memory.graph.constants[node.inputs[2]].astype(np.float64) / unit)
    inputs = (x.name, w.name, memory.draft.constant(f"{node.name}.bias", offset))
    attrs = replace(Product.of(node), exact=True)
    quantizer = memory.quantizer_behind(node)
    if quantizer is None:
        scale = memory.draft.constant(f"{node.name}.scale", unit)
        attrs = replace(attrs, epilogue=inp(0) * inp(1))
        memory.draft.keep(Node(attrs, (*inputs, scale), node.outputs))
        return True
    factor = unit / quantizer.scale
    # The largest magnitude that any partial sum of a channel can take.
    total = np.abs(weights).sum(axis=tuple(range(weights.ndim - 1)), dtype=np.float64)
    sums = max(-x.lo, x.hi) * total + np.abs(offset)
    lost = float((sums / EXACT * factor).max())
    if lost > VISIBLE:
        note(f"%{node.name}", f"its sums exceed 2**24: a result may be {lost:.2f} steps away "
                              "before rounding")
    scale = memory.draft.constant(f"{node.name}.scale", factor)
    attrs = replace(attrs, epilogue=quantizer.rounded(inp(0) * inp(1)))
    memory.emit(quantizer, attrs, (*inputs, scale))
    return True


def _whole(ratios: np.ndarray) -> np.ndarray:
    """`ratios` rounded to integers if each is within two f32 roundings of one, else unchanged."""
    nearest = np.rint(ratios)
    slack = np.finfo(np.float32).eps * np.maximum(np.abs(nearest), 1)
    return nearest if (np.abs(ratios - nearest) <= 2 * slack).all() else ratios
