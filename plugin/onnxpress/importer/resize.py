"""Resize and Upsample: every mode becomes two tables of taps, one per resized axis.

Source: ONNX Resize (opset 19 text) and its reference implementation; for the cubic kernel Keys,
"Cubic convolution interpolation for digital image processing", 1981.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, prod
from typing import Any

import numpy as np

from ..ops.pointwise import FLOATS, clamp, limits, rounded, whole
from ..ops.sample import Resize2d, Taps
from .builder import Builder
from .call import Call
from .spatial import channels_first, channels_last

COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
               "asymmetric", "tf_crop_and_resize")
LONGEST = 2**15  # lines of an image, since a table holds the taps of each
HALF = 1e-6  # a position this close to a half counts as one; measured in onnxruntime 1.32
NEAREST = {
    "round_prefer_floor": lambda x: ceil(x - 0.5),
    "round_prefer_ceil": lambda x: floor(x + 0.5),
    "floor": floor,
    "ceil": ceil,
}


@dataclass(frozen=True, slots=True)
class Mode:
    """The sampling that a node's attributes ask for."""

    kind: str
    coordinates: str
    nearest: str
    cubic: float
    exclude_outside: bool
    antialias: bool


def resize(b: Builder, call: Call) -> str:
    x = call.input(0)
    shape, mode = b.shape(x), sampling(call)
    size, scales = target(b, call, shape)
    if max(size, default=1) > LONGEST:
        raise call.refused(f"it makes an axis of {max(size)}; {LONGEST} is the most")
    roi = region(b, call, mode, len(shape))
    changed = [i for i in range(len(shape)) if size[i] != shape[i] or scales[i] != 1
               or roi[i] != (0.0, 1.0)]
    if not changed:
        return x
    tables = {i: taps(call, shape[i], size[i], scales[i], roi[i], mode) for i in changed}
    out = resample(b, call, x, tables)
    return out if mode.kind == "nearest" or b.dtype(x) in FLOATS else whole_pixels(b, out, mode)


def whole_pixels(b: Builder, x: str, mode: Mode) -> str:
    """Interpolated integers as integers of their type. As in onnxruntime, plain linear modes drop
    the fraction, and antialiased ones round; so does cubic in ONNX's reference."""
    drop = mode.kind == "linear" and not mode.antialias
    low, high = limits(b.dtype(x))
    return b.pointwise(lambda v: clamp(whole(v) if drop else rounded(v), low, high), x)


def sampling(call: Call) -> Mode:
    """The sampling mode. Before opset 11 coordinates are asymmetric, and nearest rounds as in
    onnxruntime: up where an axis shrinks, else down."""
    kind = call.text("mode", "nearest", ("nearest", "linear", "cubic"))
    old = call.opset < 11
    coordinates = call.text("coordinate_transformation_mode",
                            "asymmetric" if old else "half_pixel", COORDINATES)
    nearest = "old" if old else call.text("nearest_mode", "round_prefer_floor", tuple(NEAREST))
    return Mode(kind, coordinates, nearest, call.number("cubic_coeff_a", -0.75),
                bool(call.integer("exclude_outside", 0)), bool(call.integer("antialias", 0)))


def target(b: Builder, call: Call, shape: tuple[int, ...]) -> tuple[list[int], list[float]]:
    """(size, scale) of every output axis."""
    if call.op == "Upsample" or call.opset < 11:
        scales = (np.array(call.numbers("scales")) if call.opset < 9
                  else b.known(call, 1, "scales"))
        sizes = None
    else:
        scales, sizes = b.known(call, 2, "scales"), b.known_ints(call, 3, "sizes")
    axes = [call.axis(a, len(shape)) for a in call.integers("axes", None)] or range(len(shape))
    full_size, full_scale = list(shape), [1.0] * len(shape)
    given = sizes if sizes else scales
    if given is None or len(given) != len(axes):
        raise call.bad(f"its scales or sizes do not fit {len(axes)} axes")
    if sizes:
        _fit(call, full_size, full_scale, axes, sizes)
        return full_size, full_scale
    for a, scale in zip(axes, (float(s) for s in given), strict=True):
        if not 0 < scale < 2**20:
            raise call.bad(f"a scale of {scale} is no enlargement of an image")
        # onnxruntime multiplies in f32: 10 * 1.4 is 14 there and 13.99999976 in float64.
        full_scale[a], full_size[a] = scale, int(np.float32(shape[a]) * np.float32(scale))
    return full_size, full_scale


def _fit(call: Call, size: list[int], scale: list[float], axes: Sequence[int],
         wanted: list[int]) -> None:
    """The `wanted` sizes, brought to one common scale if the node keeps the aspect ratio."""
    policy = call.text("keep_aspect_ratio_policy", "stretch",
                       ("stretch", "not_larger", "not_smaller"))
    if min(wanted) < 1:
        raise call.bad(f"sizes {wanted} are not all 1 at least")
    ratios = [n / size[a] for a, n in zip(axes, wanted, strict=True)]
    one = {"not_larger": min(ratios), "not_smaller": max(ratios)}.get(policy)
    for a, n, ratio in zip(axes, wanted, ratios, strict=True):
        scale[a] = ratio if one is None else one
        size[a] = n if one is None else floor(size[a] * one + 0.5)


def region(b: Builder, call: Call, mode: Mode, rank: int) -> list[tuple[float, float]]:
    """(start, end) of every axis in tf_crop_and_resize, as fractions of the image."""
    whole = [(0.0, 1.0)] * rank
    if mode.coordinates != "tf_crop_and_resize":
        return whole
    roi = b.known(call, 1, "roi")
    axes = [call.axis(a, rank) for a in call.integers("axes", None)] or list(range(rank))
    if roi is None or roi.size != 2 * len(axes):
        raise call.bad(f"its roi does not fit {len(axes)} axes")
    for i, a in enumerate(axes):
        whole[a] = float(roi.reshape(-1)[i]), float(roi.reshape(-1)[i + len(axes)])
    return whole


def precision(mode: Mode) -> Callable[[float], Any]:
    """The type in which positions are computed. Nearest cells are found in f32, as in onnxruntime:
    the rounding decides on which side of a border a position falls."""
    return np.float32 if mode.kind == "nearest" else float


def source(cell: int, length: int, size: int, scale: float, roi: tuple[float, float],
           mode: Mode) -> float:
    """The position of output `cell` of `size` among `length` input cells."""
    real = precision(mode)
    i, n, out, rate = real(cell), real(length), real(size), real(scale)
    match mode.coordinates:
        case "align_corners":
            return i * (n - 1) / (out - 1) if out > 1 else 0.0
        case "asymmetric":
            return i / rate
        case "pytorch_half_pixel" if out == 1:
            return 0.0
        case "half_pixel_symmetric":
            # If the scale does not reach the size exactly, the result is centred.
            return n / 2 * (1 - out / (n * rate)) + (i + 0.5) / rate - 0.5
        case "tf_crop_and_resize":
            start, end = map(real, roi)
            if out == 1:
                return 0.5 * (start + end) * (n - 1)
            return start * (n - 1) + i * (end - start) * (n - 1) / (out - 1)
    return (i + 0.5) / rate - 0.5


def taps(call: Call, n: int, out: int, scale: float, roi: tuple[float, float], mode: Mode) -> Taps:
    """(cells, weights) of every output cell along one axis; all cells have equally many taps."""
    indices, weights = [], []
    for i in range(out):
        at = float(source(i, n, out, scale, roi, mode))
        if mode.coordinates == "tf_crop_and_resize" and not 0 <= at <= n - 1:
            raise call.refused("its roi leaves the image; extrapolation is not supported")
        if mode.kind == "nearest":
            cells, shares = [_nearest(at, scale, mode.nearest)], [1.0]
        else:
            cells, shares = _kernel(at, min(scale, 1.0) if mode.antialias else 1.0, mode)
        if mode.exclude_outside:
            shares = [s if 0 <= c < n else 0.0 for c, s in zip(cells, shares, strict=True)]
        total = sum(shares)
        indices.append(tuple(min(max(c, 0), n - 1) for c in cells))
        weights.append(tuple(s / total for s in shares))
    return tuple(indices), tuple(weights)


def _nearest(at: float, scale: float, mode: str) -> int:
    if mode == "old":
        return ceil(at) if scale < 1 else floor(at)
    if mode.startswith("round") and abs(at - floor(at) - 0.5) < HALF:
        at = floor(at) + 0.5
    return NEAREST[mode](at)


def _kernel(at: float, scale: float, mode: Mode) -> tuple[list[int], list[float]]:
    """Taps of a linear or cubic kernel at `at`, widened by 1 / scale to suppress aliases."""
    radius = (1 if mode.kind == "linear" else 2) / scale
    first = floor(at - radius) + 1
    cells = [first + k for k in range(ceil(2 * radius))]
    shape = _triangle if mode.kind == "linear" else lambda d: _cubic(d, mode.cubic)
    return cells, [shape(abs(at - c) * scale) for c in cells]


def _triangle(d: float) -> float:
    return max(0.0, 1 - d)


def _cubic(d: float, a: float) -> float:
    if d < 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else 0.0


def resample(b: Builder, call: Call, x: str, tables: dict[int, Taps]) -> str:
    """x sampled along each axis of `tables`, at most two axes."""
    shape, axes = b.shape(x), sorted(tables)
    if len(axes) > 2:
        raise call.refused(f"it resizes {len(axes)} axes; two at most are supported")
    if len(shape) == 4 and axes[0] >= 2:
        return channels_first(b, _sampled(b, channels_last(b, call, x), (2, 3), tables), 4)
    if len(shape) == 4 and axes[0] >= 1 and axes[-1] <= 2:
        return _sampled(b, x, (1, 2), tables)
    perm = [*axes, *(i for i in range(len(shape)) if i not in axes)]
    moved = b.transpose(x, perm)
    height, width = shape[axes[0]], shape[axes[1]] if len(axes) == 2 else 1
    image = b.reshape(moved, (1, height, width, prod(shape) // (height * width)))
    out = _sampled(b, image, (axes[0], axes[1] if len(axes) == 2 else -1), tables)
    sizes = [len(tables[a][0]) if a in tables else shape[a] for a in perm]
    return b.transpose(b.reshape(out, sizes), np.argsort(perm).tolist())


def _sampled(b: Builder, image: str, axes: tuple[int, int], tables: dict[int, Taps]) -> str:
    """image[N,H,W,C] through the tables of the model's `axes`. An axis without a table is kept."""
    rows, cols = (
        tables.get(a) or (tuple((i,) for i in range(n)), ((1.0,),) * n)
        for a, n in zip(axes, b.shape(image)[1:3], strict=True)
    )
    return b.emit(Resize2d(rows=rows, cols=cols), [image])


LOWERINGS = {"Resize": resize, "Upsample": resize}
