"""Data movement: operators that place elements and compute nothing, and their strided copies.

The inputs of slice, expand and reshape do not determine the output's shape.

interleave: images x[N,H,W,C] -> [N,OH,OW,O]. Let (v, u) = (y, x) + `starts` and (sy, sx) =
`strides`. Pixel (y, x) of the output is cell (v // sy, u // sx) of phase (v % sy, u % sx). The
channels of all images, one image after the other, are sy * sx phases of O channels, as in
depth-to-space. `size` is (OH, OW).
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..graph.graph import Graph, Node, Shape
from . import samples
from .attrs import AlongAxis, Movement, Shaped
from .base import EVERY_TARGET, Arrays, Op, Perm, Shapes, always, exact, free, need, never
from .copies import Move, Moves, dense
from .layouts import rename_axis, unchanged, unpermute


@dataclass(frozen=True, kw_only=True)
class Transpose(Movement):
    """Axis i of the output is axis perm[i] of the operand, as in numpy."""

    op: ClassVar[str] = "transpose"
    perm: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Slice(Movement, Shaped):
    """Along each axis: the first cell, and the distance to the next one."""

    op: ClassVar[str] = "slice"
    starts: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Concat(Movement, AlongAxis):
    op: ClassVar[str] = "concat"


@dataclass(frozen=True, kw_only=True)
class Pad(Movement):
    """`before` and `after`: cells along each axis. `mode`: "constant", which needs a `value`,
    "reflect" or "edge"."""

    op: ClassVar[str] = "pad"
    before: tuple[int, ...]
    after: tuple[int, ...]
    mode: str
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Expand(Movement, Shaped):
    op: ClassVar[str] = "expand"


@dataclass(frozen=True, kw_only=True)
class UpsampleZero(Movement):
    """Puts zeros between pixels. `strides`: (H, W), cells from one pixel to the next in the
    output."""

    op: ClassVar[str] = "upsample_zero"
    strides: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Interleave(Movement):
    op: ClassVar[str] = "interleave"
    strides: tuple[int, int]
    starts: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Copy(Movement):
    """The same elements with other strides. Only planners make it."""

    op: ClassVar[str] = "copy"


@dataclass(frozen=True, kw_only=True)
class Reshape(Shaped):
    op: ClassVar[str] = "reshape"


# --- strided copies ------------------------------------------------------------------------------


def _whole(shape: Shape, src: Shape, dst: Shape, src_offset: int = 0) -> Moves:
    return Moves(None, (Move(0, shape, src_offset, src, 0, dst),))


def _transpose(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    return _whole(out, tuple(srcs[0][p] for p in Transpose.of(node).perm), dst)


def _slice(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    cut = Slice.of(node)
    strides = tuple(s * k for s, k in zip(srcs[0], cut.steps, strict=True))
    return _whole(out, strides, dst, sum(a * s for a, s in zip(cut.starts, srcs[0], strict=True)))


def _copy(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    return _whole(out, srcs[0], dst)


def _expand(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    lead = len(out) - len(ins[0])
    held = (0,) * lead + tuple(0 if n == 1 else s for n, s in zip(ins[0], srcs[0], strict=True))
    return _whole(out, held, dst)


def _concat(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    axis, at, parts = Concat.of(node).axis, 0, []
    for i, shape in enumerate(ins):
        parts.append(Move(i, shape, 0, srcs[i], at * dst[axis], dst))
        at += shape[axis]
    return Moves(None, tuple(parts))


def _upsample(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    sy, sx = UpsampleZero.of(node).strides
    spread = (dst[0], dst[1] * sy, dst[2] * sx, dst[3])
    fill = None if ins[0] == out else 0.0
    return Moves(fill, (Move(0, ins[0], 0, srcs[0], 0, spread),))


def _interleave(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    (sy, sx), each = Interleave.of(node).strides, ins[0][3] // out[3]
    parts = []
    for rows, cols in product(*(_phases(node, a, each == sy * sx) for a in range(2))):
        (py, many_y, row, down, y), (px, many_x, col, across, x) = rows, cols
        source, block = divmod(py * sx + px, each)
        src = srcs[source]
        parts.append(Move(
            source,
            (out[0], down, many_y, across, many_x, out[3]),
            row * src[1] + col * src[2] + block * out[3] * src[3],
            (src[0], src[1], sx * out[3] * src[3], src[2], out[3] * src[3], src[3]),
            y * dst[1] + x * dst[2],
            (dst[0], sy * dst[1], dst[1], sx * dst[2], dst[2], dst[3]),
        ))
    return Moves(None, tuple(parts))


def _phases(node: Node, axis: int, joined: bool) -> list[tuple[int, int, int, int, int]]:
    """The parts along an axis: (first phase, phases, first source cell, cells, first output cell).

    One part holds all phases if they are `joined` and nothing is cropped.
    """
    grid = Interleave.of(node)
    stride, start, size = grid.strides[axis], grid.starts[axis], grid.size[axis]
    if joined and not start and size % stride == 0:
        return [(0, stride, 0, size // stride, 0)]
    parts = []
    for phase in range(stride):
        first = -(-(start - phase) // stride)
        place = first * stride + phase - start
        parts.append((phase, 1, first, -(-(size - place) // stride), place))
    return [part for part in parts if part[3] > 0]


def _pad(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    pad = Pad.of(node)
    before, after, mode = pad.before, pad.after, pad.mode
    if mode == "constant":
        at = sum(b * s for b, s in zip(before, dst, strict=True))
        fill = pad.value or 0.0 if any((*before, *after)) else None
        return Moves(fill, (Move(0, ins[0], 0, srcs[0], at, dst),))
    runs = [_runs(*facts, mode) for facts in zip(ins[0], before, after, strict=True)]
    parts = []
    for box in product(*runs):
        parts.append(Move(
            0,
            tuple(length for _, length, _, _ in box),
            sum(first * s for (_, _, first, _), s in zip(box, srcs[0], strict=True)),
            tuple(step * s for (_, _, _, step), s in zip(box, srcs[0], strict=True)),
            sum(at * s for (at, _, _, _), s in zip(box, dst, strict=True)),
            dst,
        ))
    return Moves(None, tuple(parts))


def _runs(n: int, before: int, after: int, mode: str) -> list[tuple[int, int, int, int]]:
    """(place, length, first source index, step) of the runs along one padded axis."""
    how = "reflect" if mode == "reflect" else "edge"
    index = np.pad(np.arange(n), (before, after), how).tolist()
    runs: list[tuple[int, int, int, int]] = []
    start = 0
    while start < len(index):
        end = start + 1
        step = index[end] - index[start] if end < len(index) else 1
        # The middle is one run of its own: a border that happens to continue it stays apart.
        stop = next(e for e in (before, before + n, len(index)) if start < e)
        while end < stop and index[end] - index[end - 1] == step:
            end += 1
        runs.append((start, end - start, index[start], step if end - start > 1 else 1))
        start = end
    return runs


# --- shapes and references -----------------------------------------------------------------------


def _shape(node: Node) -> Shape:
    """The output's shape, which the graph states."""
    shape = Shaped.of(node).shape
    need(shape is not None, f"{node.op} needs the shape of its output")
    return tuple(shape or ())


def _infer_transpose(node: Node, shapes: Shapes) -> tuple[Shape]:
    perm, (shape,) = Transpose.of(node).perm, shapes
    need(sorted(perm) == list(range(len(shape))), f"perm {perm} does not fit rank {len(shape)}")
    return (tuple(shape[p] for p in perm),)


def _infer_slice(node: Node, shapes: Shapes) -> tuple[Shape]:
    cut, out = Slice.of(node), _shape(node)
    starts, steps = cut.starts, cut.steps
    need(len(starts) == len(steps) == len(out) == len(shapes[0]), "slice needs one range an axis")
    for axis, (n, a, k, m) in enumerate(zip(shapes[0], starts, steps, out, strict=True)):
        inside = m == 0 or (0 <= a < n and 0 <= a + k * (m - 1) < n)
        need(inside, f"slice leaves axis {axis} of {shapes[0]}")
    return (out,)


def _infer_concat(node: Node, shapes: Shapes) -> tuple[Shape]:
    axis, first = Concat.of(node).axis, shapes[0]
    need(0 <= axis < len(first), f"axis {axis} does not exist in {first}")
    for s in shapes[1:]:
        rest = (*first[:axis], *first[axis + 1:])
        need(len(s) == len(first) and (*s[:axis], *s[axis + 1:]) == rest,
             f"{s} cannot be joined to {first} along axis {axis}")
    return ((*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1:]),)


def _infer_pad(node: Node, shapes: Shapes) -> tuple[Shape]:
    pad = Pad.of(node)
    before, after, mode = pad.before, pad.after, pad.mode
    need(len(before) == len(after) == len(shapes[0]), "pad needs two numbers an axis")
    need(min((*before, *after), default=0) >= 0, "pads are negative")
    for n, b, a in zip(shapes[0], before, after, strict=True):
        need(mode != "reflect" or max(b, a) < max(n, 1), f"cannot reflect {max(b, a)} of {n}")
    return (tuple(n + b + a for n, b, a in zip(shapes[0], before, after, strict=True)),)


def _infer_expand(node: Node, shapes: Shapes) -> tuple[Shape]:
    out = _shape(node)
    need(np.broadcast_shapes(shapes[0], out) == out, f"{shapes[0]} does not broadcast to {out}")
    return (out,)


def _infer_reshape(node: Node, shapes: Shapes) -> tuple[Shape]:
    out = _shape(node)
    need(prod(out) == prod(shapes[0]), f"{shapes[0]} has {prod(shapes[0])} elements, "
                                       f"{out} has {prod(out)}")
    return (out,)


def _infer_upsample(node: Node, shapes: Shapes) -> tuple[Shape]:
    n, h, w, c = shapes[0]
    sy, sx = UpsampleZero.of(node).strides
    return ((n, (h - 1) * sy + 1, (w - 1) * sx + 1, c),)


def _infer_interleave(node: Node, shapes: Shapes) -> tuple[Shape]:
    grid = Interleave.of(node)
    (sy, sx), starts, size = grid.strides, grid.starts, grid.size
    (n, h, w, c), phases = shapes[0], sy * sx
    need(all(s == shapes[0] for s in shapes), f"{list(shapes)} differ")
    need(phases % len(shapes) == 0 and c * len(shapes) % phases == 0,
         f"{len(shapes)} images of {c} channels do not make {phases} phases")
    need(all(0 <= a and 0 < m and a + m <= whole for a, m, whole in
             zip(starts, size, (h * sy, w * sx), strict=True)),
         f"{size} from {starts} on leaves {(h * sy, w * sx)}")
    return ((n, *size, c * len(shapes) // phases),)


def _ref_slice(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    cut = Slice.of(node)
    ranges = zip(cut.starts, cut.steps, _shape(node), strict=True)
    return (arrays[0][np.ix_(*(a + k * np.arange(n) for a, k, n in ranges))],)


def _ref_pad(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    pad = Pad.of(node)
    pads = list(zip(pad.before, pad.after, strict=True))
    options: dict[str, Any] = {"mode": pad.mode}
    if pad.mode == "constant":
        options["constant_values"] = pad.value or 0.0
    return (np.pad(arrays[0], pads, **options),)


def _ref_upsample(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (shape,) = _infer_upsample(node, [arrays[0].shape])
    out = np.zeros(shape, arrays[0].dtype)
    sy, sx = UpsampleZero.of(node).strides
    out[:, ::sy, ::sx] = arrays[0]
    return (out,)


def _ref_interleave(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (shape,) = _infer_interleave(node, [a.shape for a in arrays])
    grid = Interleave.of(node)
    (sy, sx), (top, left) = grid.strides, grid.starts
    (n, h, w, _), o = arrays[0].shape, shape[3]
    phases = np.concatenate(arrays, axis=3).reshape(n, h, w, sy, sx, o)
    whole = phases.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * sy, w * sx, o)
    return (whole[:, top : top + shape[1], left : left + shape[2]],)


# --- rewriting -----------------------------------------------------------------------------------


def _follow_pad(pad: Pad, perm: Perm) -> Pad:
    return replace(pad, before=unpermute(pad.before, perm), after=unpermute(pad.after, perm))


def _follow_slice(cut: Slice, perm: Perm) -> Slice:
    return replace(cut, starts=unpermute(cut.starts, perm), steps=unpermute(cut.steps, perm))


def _keeps_samples(node: Node, graph: Graph, known: set[str]) -> bool:
    """Whether a slice takes all samples."""
    cut = Slice.of(node)
    return (samples.first_axis_kept(node, graph, known)
            and (cut.starts[0], cut.steps[0]) == (0, 1))


def _slice_alias(node: Node, source: Shape, out: Shape) -> int | None:
    """Where a slice takes consecutive elements: along every axis the next cell follows the last,
    and only the first axis longer than 1 may be cut."""
    steps = zip(Slice.of(node).steps, out, strict=True)
    cut = next((axis for axis, n in enumerate(out) if n > 1), len(out))
    whole = out[cut + 1 :] == source[cut + 1 :] and all(k == 1 for k, n in steps if n > 1)
    starts = zip(Slice.of(node).starts, dense(source), strict=True)
    return sum(at * stride for at, stride in starts) if whole else None


_move = partial(
    Op, outputs=("out",), flops=free, ulps=exact, own=None, weights_rank=None, reads_by_data=(),
    kernel="copy", targets=EVERY_TARGET)

OPS = (
    _move(attrs=Transpose, infer=_infer_transpose,
          reference=lambda node, a: (a[0].transpose(Transpose.of(node).perm),),
          picks=always, follows=None, moves=_transpose, alias=None,
          samples=lambda node, graph, known: Transpose.of(node).perm[0] == 0),
    _move(attrs=Slice, infer=_infer_slice, reference=_ref_slice,
          picks=always, follows=_follow_slice, moves=_slice, alias=_slice_alias,
          samples=_keeps_samples),
    _move(attrs=Concat, infer=_infer_concat,
          reference=lambda node, a: (np.concatenate(a, Concat.of(node).axis),),
          picks=always, follows=rename_axis, moves=_concat, alias=None, samples=samples.joined),
    _move(attrs=Pad, infer=_infer_pad, reference=_ref_pad,
          picks=never, follows=_follow_pad, moves=_pad, alias=None,
          samples=lambda node, graph, known: not Pad.of(node).before[0] + Pad.of(node).after[0]),
    _move(attrs=Expand, infer=_infer_expand,
          reference=lambda node, a: (np.broadcast_to(a[0], _shape(node)),),
          picks=always, follows=unchanged, moves=_expand, alias=None, samples=samples.broadcast),
    _move(attrs=UpsampleZero, infer=_infer_upsample, reference=_ref_upsample,
          picks=never, follows=None, moves=_upsample, alias=None, samples=samples.windows(1)),
    _move(attrs=Interleave, infer=_infer_interleave, reference=_ref_interleave,
          picks=always, follows=None, moves=_interleave, alias=None,
          samples=samples.every_operand),
    _move(attrs=Copy, infer=lambda node, shapes: (shapes[0],), reference=lambda node, a: (a[0],),
          picks=always, follows=None, moves=_copy, alias=None, samples=None),
    Op(attrs=Reshape, outputs=("out",), infer=_infer_reshape,
       reference=lambda node, a: (a[0].reshape(_shape(node)),), flops=free, ulps=exact,
       own=None, weights_rank=None, picks=always, follows=None, samples=samples.first_axis_kept,
       moves=None, alias=lambda node, source, out: 0, reads_by_data=(), kernel=None, targets=()),
)
