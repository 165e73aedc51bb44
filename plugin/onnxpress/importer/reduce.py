"""Reductions, softmax, argmax."""

from collections.abc import Callable
from math import prod

import numpy as np

from ..graph.expr import Expr, const
from ..graph.expr import call as prim
from ..ops.pointwise import FLOATS, absolute, divide, eq, exp, integer, log, select, sqrt
from ..ops.reduce import ArgMax, Softmax
from ..ops.topk import TopK
from .builder import Builder
from .call import Call

# ONNX name -> (before, kind, after): the sum of squares is the sum of x * x, and so on.
Elementwise = Callable[[Expr], Expr] | None
REDUCTIONS: dict[str, tuple[Elementwise, str, Elementwise]] = {
    "ReduceSum": (None, "sum", None),
    "ReduceMean": (None, "mean", None),
    "ReduceMax": (None, "max", None),
    "ReduceMin": (None, "min", None),
    "ReduceProd": (None, "prod", None),
    "ReduceL1": (absolute, "sum", None),
    "ReduceL2": (lambda x: x * x, "sum", sqrt),
    "ReduceSumSquare": (lambda x: x * x, "sum", None),
    "ReduceLogSum": (None, "sum", log),
}


def reduced_axes(b: Builder, call: Call) -> tuple[int, ...]:
    """The axes to reduce; none if noop_with_empty_axes asks for none. ReduceSum takes its axes as
    an input since opset 13, the other reductions since 18."""
    rank = b.rank(call.input(0))
    if call.opset >= (13 if call.op == "ReduceSum" else 18):
        axes = b.known_ints(call, 1, "axes")
    else:
        axes = list(call.integers("axes", None))
    if not axes:
        return () if call.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return call.axes(axes, rank)


def squeezed(b: Builder, call: Call, x: str, axes: tuple[int, ...]) -> str:
    """x without the axes of length 1, unless keepdims."""
    if call.integer("keepdims", 1):
        return x
    return b.reshape(x, [n for i, n in enumerate(b.shape(x)) if i not in axes])


def reduce(b: Builder, call: Call) -> str:
    before, kind, after = REDUCTIONS[call.op]
    x, axes = call.input(0), reduced_axes(b, call)
    dtype, count = b.dtype(x), prod(b.shape(x)[a] for a in axes)
    integers = dtype not in FLOATS
    x = x if before is None else b.pointwise(before, x)
    x = b.reduce(x, "sum" if integers and kind == "mean" else kind, axes)
    if integers and kind == "mean":
        x = b.pointwise(lambda total: divide(total, const(count), dtype=dtype), x)
    elif after is not None:
        x = b.pointwise(lambda v: integer(after(v), dtype) if integers else after(v), x)
    return squeezed(b, call, x, axes)


def log_sum_exp(b: Builder, call: Call) -> str:
    """log(sum(exp(x))), shifted by the maximum so that exp cannot overflow. An infinite maximum
    shifts nothing: the difference of two infinities is no number."""
    x, axes = call.input(0), reduced_axes(b, call)
    peak = b.reduce(x, "max", axes)
    shift = b.pointwise(lambda m: select(prim("isinf", m), 0, m), peak)
    total = b.reduce(b.pointwise(lambda v, m: exp(v - m), x, shift), "sum", axes)
    dtype = b.dtype(x)
    out = b.pointwise(lambda t, m: log(t) + m if dtype in FLOATS else integer(log(t) + m, dtype),
                      total, shift)
    return squeezed(b, call, out, axes)


def softmax(b: Builder, call: Call) -> str:
    """Softmax. Before opset 13 all axes from `axis` on count as one."""
    x, shape = call.input(0), b.shape(call.input(0))
    axis = call.axis(call.integer("axis", -1 if call.opset >= 13 else 1), len(shape))
    log_ = call.op == "LogSoftmax"
    long = [i for i in range(axis, len(shape)) if shape[i] > 1]
    if call.opset >= 13 or len(long) < 2:
        axis = long[0] if call.opset < 13 and long else axis
        return b.emit(Softmax(axis=axis, log=log_), [x])
    flat = b.reshape(x, (prod(shape[:axis]), prod(shape[axis:])))
    return b.reshape(b.emit(Softmax(axis=1, log=log_), [flat]), shape)


def argmax(b: Builder, call: Call) -> str:
    x = call.input(0)
    axis = call.axis(call.integer("axis", 0), b.rank(x))
    out = b.emit(ArgMax(axis=axis, largest=call.op == "ArgMax",
                        select_last=bool(call.integer("select_last_index", 0))), [x], "i64")
    return squeezed(b, call, out, (axis,))


def hardmax(b: Builder, call: Call) -> str:
    """1 at the first maximum, 0 elsewhere."""
    x, shape = call.input(0), b.shape(call.input(0))
    axis = call.axis(call.integer("axis", -1 if call.opset >= 13 else 1), len(shape))
    if call.opset < 13:
        shape, axis = (prod(shape[:axis]), prod(shape[axis:])), 1
    at = b.emit(ArgMax(axis=axis, largest=True, select_last=False), [b.reshape(x, shape)])
    index = np.arange(shape[axis], dtype=np.float32)
    index = index.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return b.reshape(b.pointwise(eq, b.constant(index), at), b.shape(x))


def top_k(b: Builder, call: Call) -> tuple[str, ...]:
    """Values and indices, sorted in any case. k is an attribute before opset 10."""
    x, k = call.input(0), [call.integer("k")] if call.opset < 10 else b.known_ints(call, 1, "k")
    axis = call.axis(call.integer("axis", -1), b.rank(x))
    if not k or len(k) != 1 or not 0 < k[0] <= b.shape(x)[axis]:
        raise call.bad(f"its k is {k}; axis {axis} of {b.shape(x)} holds {b.shape(x)[axis]}")
    attrs = TopK(axis=axis, k=k[0], largest=bool(call.integer("largest", 1)))
    return b.emit_all(attrs, [x], [b.dtype(x), "i64"])


LOWERINGS = {
    **dict.fromkeys(REDUCTIONS, reduce),
    "ReduceLogSumExp": log_sum_exp,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "ArgMax": argmax,
    "ArgMin": argmax,
    "Hardmax": hardmax,
    "TopK": top_k,
}
