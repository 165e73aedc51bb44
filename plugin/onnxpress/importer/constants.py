"""Nodes whose results are known when the model is compiled: constants, shapes of values, ranges."""

from math import prod

import numpy as np

from .builder import Builder, convert
from .call import Call


def constant(b: Builder, call: Call) -> str:
    kinds = {"value": None, "value_float": np.float32, "value_floats": np.float32,
             "value_int": np.int64, "value_ints": np.int64}
    for name, dtype in kinds.items():
        if name in call.attrs:
            value = call.attrs[name]
            if isinstance(value, np.ndarray) != (name == "value"):
                raise call.bad(f'attribute "{name}" has the wrong kind')
            return b.constant(np.asarray(value, dtype))
    raise call.refused("it holds no dense numeric tensor; strings and sparse tensors are not "
                       "supported")


def constant_of_shape(b: Builder, call: Call) -> str:
    shape = b.known_ints(call, 0, "shape")
    value = call.attrs.get("value", np.zeros(1, np.float32))
    if shape is None or min(shape, default=0) < 0:
        raise call.bad(f"{shape} is not a shape")
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise call.bad("its value must be a tensor of one element")
    return b.expand(b.constant(value.reshape(())), shape)


def shape(b: Builder, call: Call) -> str:
    dims = b.shape(call.input(0))
    start, end = call.integer("start", 0), call.integer("end", len(dims))
    return b.constant(np.array(dims[slice(*slice(start, end).indices(len(dims)))], np.int64))


def size(b: Builder, call: Call) -> str:
    return b.constant(np.array(prod(b.shape(call.input(0))), np.int64))


def range_(b: Builder, call: Call) -> str:
    given = [b.known(call, i, what) for i, what in enumerate(("start", "limit", "delta"))]
    ends = [e.reshape(()) for e in given if e is not None and e.size == 1]
    if len(ends) < 3:
        raise call.bad("its start, limit and delta must be single numbers")
    start, limit, delta = ends
    count = max(0, int(np.ceil((float(limit) - float(start)) / float(delta))))
    call.require_small(count)
    return b.constant((start + np.arange(count) * delta).astype(start.dtype))


def eye_like(b: Builder, call: Call) -> str:
    rows, cols = b.shape(call.input(0))
    call.require_small(rows * cols)
    to = call.dtype("dtype", b.dtype(call.input(0)))
    return b.constant(convert(np.eye(rows, cols, call.integer("k", 0)), to))


def non_zero(b: Builder, call: Call) -> str:
    x = b.known(call, 0, "input")
    if x is None:
        raise call.bad("its input is missing")
    return b.constant(np.array(np.nonzero(x), np.int64))


LOWERINGS = {
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Shape": shape,
    "Size": size,
    "Range": range_,
    "EyeLike": eye_like,
    "NonZero": non_zero,
}
