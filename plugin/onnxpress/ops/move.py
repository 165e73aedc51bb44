"""Data movement: operators that place elements and compute nothing, and their strided copies.

`moves` turns any of them into a few rectangular copies, which is all that the code generators
know. slice, expand and reshape have outputs that their inputs do not determine: their nodes carry
`shape`, or get it from the graph through `ops.bound`.

interleave: images x[N,H,W,C] -> [N,OH,OW,O], whose pixel (y, x) is cell (v // sy, u // sx) of phase
(v % sy, u % sx), with (v, u) = (y, x) + `starts`. The images' channels, one image behind the other,
are `strides` = (sy, sx) phases of O channels, as in depth-to-space; `size` is (OH, OW).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..graph.graph import Node
from .base import Arrays, Op, Shape, Shapes, exact, free, need


@dataclass(frozen=True, slots=True)
class Move:
    """dst[dst_offset + i·dst_strides] = src[src_offset + i·src_strides] for every index i below
    `shape`, in elements. Source strides may be zero or negative."""

    source: int
    shape: Shape
    src_offset: int
    src_strides: Shape
    dst_offset: int
    dst_strides: Shape


@dataclass(frozen=True, slots=True)
class Moves:
    """First every element of the output becomes `fill`, unless that is None; then the parts,
    which never overlap in the output, are copied in any order."""

    fill: float | None
    parts: tuple[Move, ...]


def dense(shape: Shape) -> Shape:
    """C-order strides in elements."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def moves(
    node: Node,
    in_shapes: Shapes,
    out_shape: Shape,
    src_strides: Sequence[Shape] | None = None,
    dst_strides: Shape | None = None,
) -> Moves:
    """The copies that carry out `node`; strides default to dense tensors, offsets are relative
    to each tensor's first element. The last axis of every part is the output's."""
    sources = src_strides or [dense(s) for s in in_shapes]
    target = dense(out_shape) if dst_strides is None else tuple(dst_strides)
    return _MOVES[node.op](node, list(in_shapes), tuple(out_shape), list(map(tuple, sources)),
                           target)


def alias_start(node: Node, source: Shape, out: Shape) -> int | None:
    """The element of its dense input `source` at which the output of `node` lies as it is: of a
    reshape, or of a slice of consecutive elements. None where elements have to move."""
    if node.op == "reshape":
        return 0
    if node.op != "slice":
        return None
    cut = next((axis for axis, n in enumerate(out) if n > 1), len(out))
    whole = out[cut + 1 :] == source[cut + 1 :] and min(node.attrs["steps"][cut:], default=1) == 1
    starts = zip(node.attrs["starts"], dense(source), strict=True)
    return sum(at * stride for at, stride in starts) if whole else None


def coalesce(move: Move) -> Move:
    """The same copy with fewer axes: those of length 1 go, neighbours that step as one merge."""
    axes: list[tuple[int, int, int]] = []
    for n, src, dst in zip(move.shape, move.src_strides, move.dst_strides, strict=True):
        if n == 1:
            continue
        if axes and axes[-1][1] == src * n and axes[-1][2] == dst * n:
            axes[-1] = (axes[-1][0] * n, src, dst)
        else:
            axes.append((n, src, dst))
    shape, sources, targets = zip(*axes, strict=True) if axes else ((), (), ())
    return Move(move.source, shape, move.src_offset, sources, move.dst_offset, targets)


def _whole(shape: Shape, src: Shape, dst: Shape, src_offset: int = 0) -> Moves:
    return Moves(None, (Move(0, shape, src_offset, src, 0, dst),))


def _transpose(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    return _whole(out, tuple(srcs[0][p] for p in node.attrs["perm"]), dst)


def _slice(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    starts, steps = node.attrs["starts"], node.attrs["steps"]
    strides = tuple(s * k for s, k in zip(srcs[0], steps, strict=True))
    return _whole(out, strides, dst, sum(a * s for a, s in zip(starts, srcs[0], strict=True)))


def _copy(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    return _whole(out, srcs[0], dst)


def _expand(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    lead = len(out) - len(ins[0])
    held = (0,) * lead + tuple(0 if n == 1 else s for n, s in zip(ins[0], srcs[0], strict=True))
    return _whole(out, held, dst)


def _concat(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    axis, at, parts = node.attrs["axis"], 0, []
    for i, shape in enumerate(ins):
        parts.append(Move(i, shape, 0, srcs[i], at * dst[axis], dst))
        at += shape[axis]
    return Moves(None, tuple(parts))


def _upsample(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    sy, sx = node.attrs["strides"]
    spread = (dst[0], dst[1] * sy, dst[2] * sx, dst[3])
    fill = None if ins[0] == out else 0.0
    return Moves(fill, (Move(0, ins[0], 0, srcs[0], 0, spread),))


def _interleave(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    (sy, sx), each = node.attrs["strides"], ins[0][3] // out[3]
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
    """(first phase, phases, first source cell, cells, place in the output) of the parts along an
    axis: all phases at once if they are `joined` and nothing is cropped."""
    stride, start, size = (node.attrs[k][axis] for k in ("strides", "starts", "size"))
    if joined and not start and size % stride == 0:
        return [(0, stride, 0, size // stride, 0)]
    parts = []
    for phase in range(stride):
        first = -(-(start - phase) // stride)
        place = first * stride + phase - start
        parts.append((phase, 1, first, -(-(size - place) // stride), place))
    return [part for part in parts if part[3] > 0]


def _pad(node: Node, ins: list[Shape], out: Shape, srcs: list[Shape], dst: Shape) -> Moves:
    before, after, mode = node.attrs["before"], node.attrs["after"], node.attrs["mode"]
    if mode == "constant":
        at = sum(b * s for b, s in zip(before, dst, strict=True))
        fill = node.attrs.get("value", 0.0) if any((*before, *after)) else None
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
    index = np.pad(np.arange(n), (before, after), mode=mode).tolist()
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


_MOVES: dict[str, Callable[..., Moves]] = {
    "transpose": _transpose,
    "slice": _slice,
    "concat": _concat,
    "pad": _pad,
    "expand": _expand,
    "upsample_zero": _upsample,
    "interleave": _interleave,
    "copy": _copy,
}


def _infer_transpose(node: Node, shapes: Shapes) -> tuple[Shape]:
    perm, (shape,) = tuple(node.attrs["perm"]), shapes
    need(sorted(perm) == list(range(len(shape))), f"perm {perm} does not fit rank {len(shape)}")
    return (tuple(shape[p] for p in perm),)


def _infer_slice(node: Node, shapes: Shapes) -> tuple[Shape]:
    starts, steps, out = (tuple(node.attrs[k]) for k in ("starts", "steps", "shape"))
    need(len(starts) == len(steps) == len(out) == len(shapes[0]), "slice needs one range an axis")
    for axis, (n, a, k, m) in enumerate(zip(shapes[0], starts, steps, out, strict=True)):
        inside = m == 0 or (0 <= a < n and 0 <= a + k * (m - 1) < n)
        need(inside, f"slice leaves axis {axis} of {shapes[0]}")
    return (out,)


def _infer_concat(node: Node, shapes: Shapes) -> tuple[Shape]:
    axis, first = node.attrs["axis"], shapes[0]
    need(0 <= axis < len(first), f"axis {axis} does not exist in {first}")
    for s in shapes[1:]:
        rest = (*first[:axis], *first[axis + 1:])
        need(len(s) == len(first) and (*s[:axis], *s[axis + 1:]) == rest,
             f"{s} cannot be joined to {first} along axis {axis}")
    return ((*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1:]),)


def _infer_pad(node: Node, shapes: Shapes) -> tuple[Shape]:
    before, after, mode = (node.attrs[k] for k in ("before", "after", "mode"))
    need(len(before) == len(after) == len(shapes[0]), "pad needs two numbers an axis")
    need(min((*before, *after), default=0) >= 0, "pads are negative")
    for n, b, a in zip(shapes[0], before, after, strict=True):
        need(mode != "reflect" or max(b, a) < max(n, 1), f"cannot reflect {max(b, a)} of {n}")
    return (tuple(n + b + a for n, b, a in zip(shapes[0], before, after, strict=True)),)


def _infer_expand(node: Node, shapes: Shapes) -> tuple[Shape]:
    out = tuple(node.attrs["shape"])
    need(np.broadcast_shapes(shapes[0], out) == out, f"{shapes[0]} does not broadcast to {out}")
    return (out,)


def _infer_reshape(node: Node, shapes: Shapes) -> tuple[Shape]:
    out = tuple(node.attrs["shape"])
    need(prod(out) == prod(shapes[0]), f"{shapes[0]} has {prod(shapes[0])} elements, "
                                       f"{out} has {prod(out)}")
    return (out,)


def _infer_upsample(node: Node, shapes: Shapes) -> tuple[Shape]:
    n, h, w, c = shapes[0]
    sy, sx = node.attrs["strides"]
    return ((n, (h - 1) * sy + 1, (w - 1) * sx + 1, c),)


def _infer_interleave(node: Node, shapes: Shapes) -> tuple[Shape]:
    (sy, sx), starts, size = (node.attrs[k] for k in ("strides", "starts", "size"))
    (n, h, w, c), phases = shapes[0], sy * sx
    need(all(s == shapes[0] for s in shapes), f"{list(shapes)} differ")
    need(phases % len(shapes) == 0 and c * len(shapes) % phases == 0,
         f"{len(shapes)} images of {c} channels do not make {phases} phases")
    need(all(0 <= a and 0 < m and a + m <= whole for a, m, whole in
             zip(starts, size, (h * sy, w * sx), strict=True)),
         f"{size} from {starts} on leaves {(h * sy, w * sx)}")
    return ((n, *size, c * len(shapes) // phases),)


def _ref_slice(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    ranges = zip(node.attrs["starts"], node.attrs["steps"], node.attrs["shape"], strict=True)
    return (arrays[0][np.ix_(*(a + k * np.arange(n) for a, k, n in ranges))],)


def _ref_pad(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    pads = list(zip(node.attrs["before"], node.attrs["after"], strict=True))
    options: dict[str, Any] = {"mode": node.attrs["mode"]}
    if options["mode"] == "constant":
        options["constant_values"] = node.attrs.get("value", 0.0)
    return (np.pad(arrays[0], pads, **options),)


def _ref_upsample(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (shape,) = _infer_upsample(node, [arrays[0].shape])
    out = np.zeros(shape, arrays[0].dtype)
    sy, sx = node.attrs["strides"]
    out[:, ::sy, ::sx] = arrays[0]
    return (out,)


def _ref_interleave(node: Node, arrays: Arrays) -> tuple[np.ndarray]:
    (shape,) = _infer_interleave(node, [a.shape for a in arrays])
    (sy, sx), (top, left) = node.attrs["strides"], node.attrs["starts"]
    (n, h, w, _), o = arrays[0].shape, shape[3]
    phases = np.concatenate(arrays, axis=3).reshape(n, h, w, sy, sx, o)
    whole = phases.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * sy, w * sx, o)
    return (whole[:, top : top + shape[1], left : left + shape[2]],)


OPS = tuple(
    Op(name, infer, reference, free, exact)
    for name, infer, reference in (
        ("transpose", _infer_transpose, lambda node, a: (a[0].transpose(node.attrs["perm"]),)),
        ("slice", _infer_slice, _ref_slice),
        ("concat", _infer_concat, lambda node, a: (np.concatenate(a, node.attrs["axis"]),)),
        ("pad", _infer_pad, _ref_pad),
        ("expand", _infer_expand, lambda node, a: (np.broadcast_to(a[0], node.attrs["shape"]),)),
        ("upsample_zero", _infer_upsample, _ref_upsample),
        ("interleave", _infer_interleave, _ref_interleave),
        ("copy", lambda node, shapes: (shapes[0],), lambda node, a: (a[0],)),
        ("reshape", _infer_reshape, lambda node, a: (a[0].reshape(node.attrs["shape"]),)),
    )
)
