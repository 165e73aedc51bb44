"""Convolutions and pools: NCHW outside, NHWC inside. A single spatial axis gets an H of 1."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ..graph.expr import Expr, const
from ..ops.conv import Conv2d
from ..ops.move import UpsampleZero
from ..ops.pointwise import absolute, power
from ..ops.pool import Pool2d
from .builder import Builder
from .call import Call

FAR = 2**20  # cells


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window over H and W. `pads`: top, left, bottom, right."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]

    @property
    def extent(self) -> tuple[int, int]:
        """Cells from the first tap to the last, per axis."""
        (kh, kw), (dy, dx) = self.kernel, self.dilations
        return (kh - 1) * dy + 1, (kw - 1) * dx + 1


def channels_last(b: Builder, call: Call, x: str) -> str:
    """x[N,C,H,W] as [N,H,W,C]; x[N,C,W] as [N,1,W,C]."""
    rank = b.rank(x)
    if rank == 3:
        n, c, w = b.shape(x)
        return b.reshape(b.transpose(x, (0, 2, 1)), (n, 1, w, c))
    if rank != 4:
        raise call.refused(f"its input has rank {rank}; one or two spatial axes are supported")
    return b.transpose(x, (0, 2, 3, 1))


def channels_first(b: Builder, y: str, rank: int) -> str:
    """The inverse of `channels_last`."""
    if rank == 3:
        n, _, w, c = b.shape(y)
        return b.transpose(b.reshape(y, (n, w, c)), (0, 2, 1))
    return b.transpose(y, (0, 3, 1, 2))


def two(values: tuple[int, ...], fill: int) -> tuple[int, int]:
    """One number per spatial axis, as (H, W)."""
    return (fill, values[0]) if len(values) == 1 else (values[0], values[1])


def window(call: Call, size: tuple[int, ...], kernel: tuple[int, ...],
           crops: bool = False) -> Window:
    """The node's window over an image of `size`, its padding resolved. Under auto_pad the windows
    of a stride beyond the kernel may leave cells over: negative pads, if the operator `crops`."""
    n = len(size)
    if len(kernel) != n:
        raise call.bad(f"a kernel of {len(kernel)} axes does not fit {n} spatial axes")
    strides = call.integers("strides", None, n) or (1,) * n
    dilations = call.integers("dilations", None, n) or (1,) * n
    if min((*kernel, *strides, *dilations)) < 1:
        raise call.bad("kernel_shape, strides and dilations must be 1 at least")
    pads = call.integers("pads", None, 2 * n) or (0,) * (2 * n)
    mode = call.text("auto_pad", "NOTSET", ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
    if mode == "VALID":
        pads = (0,) * (2 * n)
    if mode.startswith("SAME"):
        extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        total = [max(-s if crops else 0, (-(-i // s) - 1) * s + e - i)
                 for i, s, e in zip(size, strides, extent, strict=True)]
        first = [int((t + (mode == "SAME_LOWER")) / 2) for t in total]
        pads = (*first, *(t - n for t, n in zip(total, first, strict=True)))
    elif min(pads) < 0:
        raise call.bad(f"pads {pads} are negative")
    # A stride beyond the image never takes a second step; addresses have 32 bits.
    strides = tuple(min(s, max(i + sum(pads[k::n]), FAR))
                    for k, (s, i) in enumerate(zip(strides, size, strict=True)))
    dilations = tuple(1 if k == 1 and d > FAR else d
                      for k, d in zip(kernel, dilations, strict=True))
    full = (*two(pads[:n], 0), *two(pads[n:], 0))
    return Window(two(kernel, 1), two(strides, 1), two(dilations, 1), full)


def weights_last(b: Builder, w: str) -> str:
    """w[O,C,KH,KW] as [KH,KW,C,O]; w[O,C,K] as [1,K,C,O]."""
    if b.rank(w) == 3:
        w = b.transpose(w, (2, 1, 0))
        return b.reshape(w, (1, *b.shape(w)))
    return b.transpose(w, (2, 3, 1, 0))


def conv(b: Builder, call: Call) -> str:
    return convolve(b, call, call.input(0), call.input(1), call.optional(2))


def convolve(b: Builder, call: Call, x: str, w: str, bias: str | None,
             dtype: str | None = None) -> str:
    rank, shape = b.rank(x), b.shape(w)
    image = channels_last(b, call, x)
    if len(shape) != rank:
        raise call.bad(f"weights {shape} do not fit an input of rank {rank}")
    if call.integers("kernel_shape", shape[2:]) != shape[2:]:
        raise call.bad(f"kernel_shape differs from its weights' {shape[2:]}")
    win = window(call, b.shape(x)[2:], shape[2:])
    attrs = Conv2d(strides=win.strides, pads=win.pads, dilations=win.dilations,
                   groups=call.integer("group", 1), pad_mode="zero")
    out = b.emit(attrs, [image, weights_last(b, w), bias or b.zeros(shape[0])], dtype)
    return channels_first(b, out, rank)


def conv_transpose(b: Builder, call: Call) -> str:
    """Puts zeros between the pixels, then convolves with the flipped kernel."""
    x, w = call.input(0), call.input(1)
    rank, shape, groups = b.rank(x), b.shape(w), call.integer("group", 1)
    image = channels_last(b, call, x)
    if len(shape) != rank or groups < 1 or shape[0] % groups or shape[0] != b.shape(x)[1]:
        raise call.bad(f"weights {shape} in {groups} groups do not fit an input {b.shape(x)}")
    win, extra = transposed_window(call, b.shape(x)[2:], shape[2:])
    grown = b.emit(UpsampleZero(strides=win.strides), [image]) if max(win.strides) > 1 else image
    (top, left, bottom, right), (eh, ew), (oy, ox) = win.pads, win.extent, extra
    pads = (eh - 1 - top, ew - 1 - left, eh - 1 - bottom + oy, ew - 1 - right + ox)
    grown, pads = crop(b, grown, pads)
    channels = shape[1] * groups
    bias = call.optional(2) or b.zeros(channels)
    attrs = Conv2d(strides=(1, 1), pads=pads, dilations=win.dilations, groups=groups,
                   pad_mode="zero")
    out = b.emit(attrs, [grown, flipped_weights(b, w, groups), bias])
    return channels_first(b, out, rank)


def transposed_window(call: Call, size: tuple[int, ...],
                      kernel: tuple[int, ...]) -> tuple[Window, tuple[int, int]]:
    """(the window, the rows and columns added below and right by output_padding).

    Source: the formulas of ONNX ConvTranspose for pads, auto_pad and output_shape.
    """
    n = len(size)
    if call.integers("kernel_shape", kernel) != kernel:
        raise call.bad(f"kernel_shape differs from its weights' {kernel}")
    win = window(call, size, kernel)
    extra = call.integers("output_padding", None, n) or (0,) * n
    wanted = call.integers("output_shape", None)[-n:]
    mode = call.attrs.get("auto_pad", "NOTSET")
    strides = win.strides[2 - n:]
    if not wanted and mode.startswith("SAME"):
        wanted = tuple(i * s for i, s in zip(size, strides, strict=True))
    if wanted:
        if len(wanted) != n:
            raise call.bad(f"output_shape must hold {n} integers")
        total = [max(0, s * (i - 1) + o + e - out) for i, s, o, e, out in
                 zip(size, strides, extra, win.extent[2 - n:], wanted, strict=True)]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        first, last = (less, more) if mode == "SAME_UPPER" else (more, less)
        # If the natural output is too small, the missing cells are output padding.
        extra = tuple(out - (s * (i - 1) + e - t) for out, s, i, e, t in
                      zip(wanted, strides, size, win.extent[2 - n:], total, strict=True))
        pads = (*two(tuple(first), 0), *two(tuple(last), 0))
        win = Window(win.kernel, win.strides, win.dilations, pads)
    return win, two(extra, 0)


def crop(b: Builder, x: str, pads: tuple[int, ...]) -> tuple[str, tuple[int, int, int, int]]:
    """(x[N,H,W,C] without the cells that negative pads remove, the remaining pads)"""
    top, left, bottom, right = pads
    n, h, w, c = b.shape(x)
    rows, cols = h + min(top, 0) + min(bottom, 0), w + min(left, 0) + min(right, 0)
    x = b.slice(x, (0, max(-top, 0), max(-left, 0), 0), (n, rows, cols, c))
    return x, (max(top, 0), max(left, 0), max(bottom, 0), max(right, 0))


def flipped_weights(b: Builder, w: str, groups: int) -> str:
    """w[C,O/groups,KH,KW] mirrored in KH and KW, as [KH,KW,C/groups,O]."""
    if b.rank(w) == 3:
        w = b.reshape(w, (*b.shape(w)[:2], 1, b.shape(w)[2]))
    c, o, kh, kw = b.shape(w)
    w = b.transpose(w, (2, 3, 0, 1))
    if kh * kw > 1:
        w = b.slice(w, (kh - 1, kw - 1, 0, 0), (kh, kw, c, o), (-1, -1, 1, 1))
    if groups > 1:
        w = b.transpose(b.reshape(w, (kh, kw, groups, c // groups, o)), (0, 1, 3, 2, 4))
    return b.reshape(w, (kh, kw, c // groups, groups * o))


def pooled_size(call: Call, size: tuple[int, int], win: Window) -> tuple[int, int]:
    """(OH, OW). With ceil_mode a last window must still start inside the image or its leading pads,
    as in onnxruntime."""
    out = []
    for axis in range(2):
        before, after = win.pads[axis], win.pads[axis + 2]
        room, stride = size[axis] + before + after - win.extent[axis], win.strides[axis]
        count = room // stride + 1
        if call.integer("ceil_mode", 0):
            count = -(-room // stride) + 1
            count -= (count - 1) * stride >= size[axis] + before
        if room < 0 or count < 1:
            raise call.bad(f"its window of {win.extent} does not fit the image {size}")
        out.append(count)
    return out[0], out[1]


def pool(b: Builder, call: Call) -> str:
    if call.op == "MaxPool":
        call.only_output("Indices")
    x = call.input(0)
    rank, image = b.rank(x), channels_last(b, call, x)
    win = window(call, b.shape(x)[2:], call.integers("kernel_shape"), crops=True)
    image, pads = crop(b, image, win.pads)
    win = replace(win, pads=pads)
    _, h, w, _ = b.shape(image)
    size = pooled_size(call, (h, w), win)
    if call.op == "LpPool":
        return channels_first(b, _lp_pool(b, call, image, win, size), rank)
    kind = "max" if call.op == "MaxPool" else "avg"
    attrs = Pool2d(kind=kind, kernel=win.kernel, strides=win.strides, pads=win.pads,
                   dilations=win.dilations, size=size,
                   count_include_pad=bool(call.integer("count_include_pad", 0)))
    out = b.emit(attrs, [image])
    return channels_first(b, out, rank)


def _lp_pool(b: Builder, call: Call, image: str, win: Window, size: tuple[int, int]) -> str:
    """The p-norm of each window. Its sum is a depthwise convolution with ones."""
    p, (_, h, w, c) = call.integer("p", 2), b.shape(image)
    powers = power_of_abs(b, image, p)
    top, left, _, _ = win.pads
    bottom, right = (
        max(0, (size[a] - 1) * win.strides[a] + win.extent[a] - (h, w)[a] - win.pads[a])
        for a in range(2))
    call.require_small(prod(win.kernel) * c)
    ones = b.constant(np.ones((*win.kernel, 1, c), np.float32))
    attrs = Conv2d(strides=win.strides, pads=(top, left, bottom, right), dilations=win.dilations,
                   groups=c, pad_mode="zero")
    total = b.emit(attrs, [powers, ones, b.zeros(c)])
    return root(b, total, p)


def power_of_abs(b: Builder, x: str, p: int) -> str:
    if p < 1:
        raise ValueError(f"p is {p}; it must be 1 at least")
    return b.pointwise(lambda v: _abs_power(v, p), x)


def _abs_power(v: Expr, p: int) -> Expr:
    return v * v if p == 2 else power(absolute(v), const(p))


def root(b: Builder, x: str, p: int) -> str:
    return x if p == 1 else b.pointwise(lambda v: power(v, const(1 / p)), x)


def global_pool(b: Builder, call: Call) -> str:
    x = call.input(0)
    rank = b.rank(x)
    if rank < 3:
        raise call.bad(f"its input has rank {rank}; it needs a spatial axis")
    axes = tuple(range(2, rank))
    if rank == 4:
        return channels_first(b, _global(b, call, channels_last(b, call, x), (1, 2)), rank)
    return _global(b, call, x, axes)


def _global(b: Builder, call: Call, x: str, axes: tuple[int, ...]) -> str:
    if call.op == "GlobalLpPool":
        p = call.integer("p", 2)
        return root(b, b.reduce(power_of_abs(b, x, p), "sum", axes), p)
    return b.reduce(x, "max" if call.op == "GlobalMaxPool" else "mean", axes)


LOWERINGS = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": pool,
    "AveragePool": pool,
    "LpPool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "GlobalLpPool": global_pool,
}
