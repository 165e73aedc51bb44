"""Normalizations: batch, instance, layer, group, RMS, Lp, mean-variance, local response."""

from math import prod

import numpy as np

from ..graph.expr import const
from ..ops.pointwise import eq, power, select, sqrt
from ..ops.reduce import Normalize, WindowSum
from .builder import Builder
from .call import Call
from .spatial import channels_first, channels_last, power_of_abs, root


def per_channel(b: Builder, v: str, rank: int, axis: int = 1) -> str:
    """v[C] shaped so that it broadcasts along `axis`."""
    return b.reshape(v, [b.shape(v)[0] if i == axis else 1 for i in range(rank)])


def batch_norm(b: Builder, call: Call) -> str:
    """x * s + t with s = scale / sqrt(var + eps) and t = shift - mean * s: two constants per
    channel."""
    if call.integer("training_mode", 0) or any(call.outputs[1:]):
        raise call.refused("it is in training mode; export the model for inference")
    if call.integer("spatial", 1) != 1:
        raise call.refused("it normalizes each position on its own; export the model to opset 9")
    x, eps = call.input(0), call.number("epsilon", 1e-5)
    scale, shift, mean, var = (call.input(i) for i in range(1, 5))
    rank = b.rank(x)
    channels = b.shape(x)[1] if rank > 1 else 1
    if any(b.shape(v) != (channels,) for v in (scale, shift, mean, var)):
        raise call.bad(f"its statistics do not fit {channels} channels")
    s = b.pointwise(lambda g, v: g / sqrt(v + eps), scale, var)
    t = b.pointwise(lambda h, m, v: h - m * v, shift, mean, s)
    if rank > 1:
        s, t = per_channel(b, s, rank), per_channel(b, t, rank)
    return b.pointwise(lambda v, p, q: v * p + q, x, s, t)


def instance_norm(b: Builder, call: Call) -> str:
    x, scale, shift = (call.input(i) for i in range(3))
    if b.rank(x) < 3 or any(b.shape(v) != b.shape(x)[1:2] for v in (scale, shift)):
        raise call.bad(f"scale {b.shape(scale)} and shift {b.shape(shift)} do not fit {b.shape(x)}")
    return normalize_instances(b, call, x, scale, shift)


def normalize_instances(b: Builder, call: Call, x: str, scale: str, shift: str) -> str:
    """x[N,C,...] normalized over all axes but N and C, as an image."""
    shape = b.shape(x)
    flat = x if len(shape) in (3, 4) else b.reshape(x, (*shape[:2], prod(shape[2:])))
    image = channels_last(b, call, flat)
    out = b.emit(Normalize(axes=(1, 2), eps=call.number("epsilon", 1e-5)),
                 [image, per_channel(b, scale, 4, 3), per_channel(b, shift, 4, 3)])
    return b.reshape(channels_first(b, out, b.rank(flat)), shape)


def group_norm(b: Builder, call: Call) -> str:
    """Normalizes each group like a channel. Scale and shift have one value per channel since opset
    21, before that one per group."""
    x, scale, shift = (call.input(i) for i in range(3))
    shape, groups = b.shape(x), call.integer("num_groups")
    if len(shape) < 3 or groups < 1 or shape[1] % groups:
        raise call.bad(f"{shape} does not divide into {groups} groups")
    grouped = b.reshape(x, (shape[0], groups, prod(shape[1:]) // groups))
    ones, zeros = b.constant(np.ones(groups, np.float32)), b.zeros(groups)
    y = b.reshape(normalize_instances(b, call, grouped, ones, zeros), shape)
    if b.shape(scale) == (groups,) != shape[1:2]:
        scale, shift = (
            b.reshape(b.expand(b.reshape(v, (groups, 1)), (groups, shape[1] // groups)), shape[1:2])
            for v in (scale, shift)
        )
    scale, shift = (per_channel(b, v, len(shape)) for v in (scale, shift))
    return b.pointwise(lambda v, s, t: v * s + t, y, scale, shift)


def layer_norm(b: Builder, call: Call) -> str:
    call.only_output("Mean")
    x, scale, shift = call.input(0), call.input(1), call.optional(2)
    rank = b.rank(x)
    axes = tuple(range(call.axis(call.integer("axis", -1), rank), rank))
    shift = shift or b.constant(np.zeros(1, np.float32))
    return b.emit(Normalize(axes=axes, eps=call.number("epsilon", 1e-5)), [x, scale, shift])


def rms_norm(b: Builder, call: Call) -> str:
    x, scale, eps = call.input(0), call.input(1), call.number("epsilon", 1e-5)
    rank = b.rank(x)
    axes = range(call.axis(call.integer("axis", -1), rank), rank)
    square = b.reduce(b.pointwise(lambda v: v * v, x), "mean", axes)
    return b.pointwise(lambda v, m, s: v / sqrt(m + eps) * s, x, square, scale)


def lp_norm(b: Builder, call: Call) -> str:
    x, p = call.input(0), call.integer("p", 2)
    axis = call.axis(call.integer("axis", -1), b.rank(x))
    length = root(b, b.reduce(power_of_abs(b, x, p), "sum", [axis]), p)
    # A vector of zeros stays unchanged.
    return b.pointwise(lambda v, n: v / select(eq(n, 0), 1, n), x, length)


def mean_variance_norm(b: Builder, call: Call) -> str:
    """(x - mean) / (sqrt(var) + 1e-9), as in ONNX's function body."""
    x = call.input(0)
    axes = call.axes(call.integers("axes", (0, 2, 3)), b.rank(x))
    centred = b.pointwise(lambda v, m: v - m, x, b.reduce(x, "mean", axes))
    variance = b.reduce(b.pointwise(lambda v: v * v, centred), "mean", axes)
    return b.pointwise(lambda v, m: v / (sqrt(m) + 1e-9), centred, variance)


def local_response(b: Builder, call: Call) -> str:
    """x * (bias + alpha / size * sum of squares over `size` channels) ** -beta."""
    x, size = call.input(0), call.integer("size")
    if size < 1:
        raise call.bad("its size must be 1 at least")
    alpha, beta, bias = (call.number(k, d) for k, d in
                         (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    image = channels_last(b, call, x)
    square = b.pointwise(lambda v: v * v, image)
    total = b.emit(WindowSum(lo=(size - 1) // 2, hi=size // 2), [square])
    out = b.pointwise(lambda v, t: v * power(t * (alpha / size) + bias, const(-beta)), image, total)
    return channels_first(b, out, b.rank(x))


LOWERINGS = {
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "LpNormalization": lp_norm,
    "MeanVarianceNormalization": mean_variance_norm,
    "LRN": local_response,
}
