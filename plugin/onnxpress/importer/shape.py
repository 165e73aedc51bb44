"""Nodes that move elements: reshapes, transposes, slices, joins, pads, gathers."""

from collections.abc import Sequence
from math import prod

import numpy as np

from ..graph.expr import call as prim
from ..ops.cumsum import CumSum
from ..ops.move import Concat, Pad
from ..ops.pointwise import eq, greatest
from ..ops.sample import Gather
from .builder import Builder
from .call import Call


def reshape(b: Builder, call: Call) -> str:
    x, wanted = call.input(0), b.known_ints(call, 1, "shape")
    if wanted is None:
        raise call.bad("its shape is missing")
    shape = b.shape(x)
    if not call.integer("allowzero", 0):
        if any(n == 0 and i >= len(shape) for i, n in enumerate(wanted)):
            raise call.bad(f"shape {wanted} copies a dimension that {shape} does not have")
        wanted = [shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
        raise call.bad(f"shape {wanted} is not a shape; one dimension may be -1")
    if -1 in wanted:
        rest = prod(n for n in wanted if n != -1)
        if rest == 0 or prod(shape) % rest:
            raise call.bad(f"{shape} does not divide into {wanted}")
        wanted = [prod(shape) // rest if n == -1 else n for n in wanted]
    return b.reshape(x, wanted)


def flatten(b: Builder, call: Call) -> str:
    x = call.input(0)
    shape, axis = b.shape(x), call.integer("axis", 1)
    axis = axis if axis == len(shape) else call.axis(axis, len(shape))
    return b.reshape(x, (prod(shape[:axis]), prod(shape[axis:])))


def axes_argument(b: Builder, call: Call, since: int) -> list[int] | None:
    """`axes`: an attribute before opset `since`, the second input from `since` on."""
    if call.opset < since:
        return list(call.integers("axes")) if "axes" in call.attrs else None
    return b.known_ints(call, 1, "axes")


def squeeze(b: Builder, call: Call) -> str:
    x, axes = call.input(0), axes_argument(b, call, 13)
    shape = b.shape(x)
    gone = ([i for i, n in enumerate(shape) if n == 1] if axes is None
            else call.axes(axes, len(shape)))
    if any(shape[i] != 1 for i in gone):
        raise call.bad(f"it removes axes {tuple(gone)} of {shape}, which are not all 1")
    return b.reshape(x, [n for i, n in enumerate(shape) if i not in gone])


def unsqueeze(b: Builder, call: Call) -> str:
    x, axes = call.input(0), axes_argument(b, call, 13)
    if axes is None:
        raise call.bad("its axes are missing")
    new = call.axes(axes, b.rank(x) + len(axes))
    rest = iter(b.shape(x))
    return b.reshape(x, [1 if i in new else next(rest) for i in range(b.rank(x) + len(axes))])


def transpose(b: Builder, call: Call) -> str:
    x = call.input(0)
    perm = call.integers("perm", None) or tuple(reversed(range(b.rank(x))))
    return b.transpose(x, perm)


def concat(b: Builder, call: Call) -> str:
    names = [call.input(i) for i in range(len(call.inputs))]
    if not names:
        raise call.bad("it has no inputs")
    axis = call.axis(call.integer("axis"), b.rank(names[0]))
    full = [n for n in names if prod(b.shape(n))] or names[:1]
    return full[0] if len(full) == 1 else b.emit(Concat(axis=axis), full)


def split(b: Builder, call: Call) -> tuple[str, ...]:
    x, count = call.input(0), len(call.outputs)
    shape = b.shape(x)
    axis = call.axis(call.integer("axis", 0), len(shape))
    n = shape[axis]
    sizes = (list(call.integers("split", None)) if call.opset < 13
             else b.known_ints(call, 1, "split")) or []
    if not sizes:
        parts = call.integer("num_outputs", count)
        if parts < 1 or parts > n:
            raise call.bad(f"{n} cells do not split into {parts} parts")
        each = -(-n // parts)
        sizes = [min(each, n - i * each) for i in range(parts)]
    if len(sizes) != count or sum(sizes) != n or min(sizes) < 0:
        raise call.bad(f"parts of {sizes} are not the {n} cells of axis {axis} in {count} outputs")
    outs, at = [], 0
    for size, wanted in zip(sizes, call.outputs, strict=True):
        starts = [at if i == axis else 0 for i in range(len(shape))]
        part = [size if i == axis else m for i, m in enumerate(shape)]
        outs.append(b.slice(x, starts, part) if wanted else "")
        at += size
    return tuple(outs)


def slice_(b: Builder, call: Call) -> str:
    x = call.input(0)
    shape = b.shape(x)
    if call.opset < 10:
        starts, ends = list(call.integers("starts")), list(call.integers("ends"))
        axes, steps = list(call.integers("axes", None)) or None, None
    else:
        starts, ends, axes, steps = (
            b.known_ints(call, i, what)
            for i, what in enumerate(("starts", "ends", "axes", "steps"), 1)
        )
    if starts is None or ends is None:
        raise call.bad("its starts or ends are missing")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise call.bad(f"starts {starts}, ends {ends}, axes {axes} and steps {steps} do not match")
    call.axes(axes, len(shape))
    first, size, stride = [0] * len(shape), list(shape), [1] * len(shape)
    for a, start, end, step in zip(axes, starts, ends, steps, strict=True):
        a = call.axis(a, len(shape))
        cells = range(*slice(start, end, step).indices(shape[a]))
        first[a], size[a], stride[a] = (cells.start if len(cells) else 0), len(cells), step
    return b.slice(x, first, size, stride)


def pad(b: Builder, call: Call) -> str:
    x = call.input(0)
    rank = b.rank(x)
    mode = call.text("mode", "constant", ("constant", "reflect", "edge", "wrap"))
    if call.opset < 11:
        pads, axes = list(call.integers("pads")), None
        fill = call.number("value", 0.0)
    else:
        pads, axes = b.known_ints(call, 1, "pads"), b.known_ints(call, 3, "axes")
        value = b.known(call, 2, "constant_value")
        fill = 0.0 if value is None or value.size == 0 else b.number(value)
    axes = list(range(rank)) if axes is None else [call.axis(a, rank) for a in axes]
    if pads is None or len(pads) != 2 * len(axes):
        raise call.bad(f"pads {pads} do not fit {len(axes)} axes")
    before, after = [0] * rank, [0] * rank
    for i, a in enumerate(axes):
        before[a], after[a] = pads[i], pads[i + len(axes)]
    return pad_by(b, x, before, after, mode, fill)


def pad_by(b: Builder, x: str, before: Sequence[int], after: Sequence[int], mode: str,
           fill: float) -> str:
    """x padded. Negative pads crop first."""
    shape = b.shape(x)
    sizes = [n + min(p, 0) + min(q, 0) for n, p, q in zip(shape, before, after, strict=True)]
    if min(sizes, default=1) < 0:
        raise ValueError(f"pads {tuple(before)} and {tuple(after)} take away more than {shape}")
    x = b.slice(x, [max(-p, 0) for p in before], sizes)
    before, after = [max(p, 0) for p in before], [max(q, 0) for q in after]
    if not any((*before, *after)):
        return x
    if mode != "wrap":
        attrs = Pad(before=tuple(before), after=tuple(after), mode=mode, value=fill)
        return b.emit(attrs, [x])
    for axis, (p, q) in enumerate(zip(before, after, strict=True)):
        x = wrap_axis(b, x, axis, p, q)
    return x


def wrap_axis(b: Builder, x: str, axis: int, before: int, after: int) -> str:
    """x continued periodically along one axis."""
    shape = b.shape(x)
    n = shape[axis]
    if max(before, after) > n:
        raise ValueError(f"it cannot wrap {max(before, after)} of {n} cells")

    def part(start: int, size: int) -> str:
        starts = [start if i == axis else 0 for i in range(len(shape))]
        return b.slice(x, starts, [size if i == axis else m for i, m in enumerate(shape)])

    parts = [part(n - before, before)] * (before > 0) + [x] + [part(0, after)] * (after > 0)
    return x if len(parts) == 1 else b.emit(Concat(axis=axis), parts)


def expand(b: Builder, call: Call) -> str:
    x, wanted = call.input(0), b.known_ints(call, 1, "shape")
    if wanted is None:
        raise call.bad("its shape is missing")
    return b.expand(x, np.broadcast_shapes(b.shape(x), tuple(wanted)))


def tile(b: Builder, call: Call) -> str:
    x, repeats = call.input(0), b.known_ints(call, 1, "repeats")
    shape = b.shape(x)
    if repeats is None or len(repeats) != len(shape) or min(repeats, default=1) < 0:
        raise call.bad(f"repeats {repeats} do not fit {shape}")
    apart = [n for m in shape for n in (1, m)]
    grown = [n for r, m in zip(repeats, shape, strict=True) for n in (r, m)]
    spread = b.expand(b.reshape(x, apart), grown)
    return b.reshape(spread, [r * m for r, m in zip(repeats, shape, strict=True)])


def depth_to_space(b: Builder, call: Call) -> str:
    x, s = call.input(0), call.integer("blocksize")
    n, c, h, w = b.shape(x)
    if s < 1 or c % (s * s):
        raise call.bad(f"{c} channels do not make blocks of {s}x{s}")
    mode = call.text("mode", "DCR", ("DCR", "CRD"))
    o = c // (s * s)
    if mode == "DCR":
        y = b.transpose(b.reshape(x, (n, s, s, o, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        y = b.transpose(b.reshape(x, (n, o, s, s, h, w)), (0, 1, 4, 2, 5, 3))
    return b.reshape(y, (n, o, h * s, w * s))


def space_to_depth(b: Builder, call: Call) -> str:
    x, s = call.input(0), call.integer("blocksize")
    n, c, h, w = b.shape(x)
    if s < 1 or h % s or w % s:
        raise call.bad(f"a {h}x{w} image does not divide into blocks of {s}x{s}")
    mode = call.text("mode", "DCR", ("DCR", "CRD"))
    perm = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    y = b.transpose(b.reshape(x, (n, c, h // s, s, w // s, s)), perm)
    return b.reshape(y, (n, c * s * s, h // s, w // s))


def gather(b: Builder, call: Call) -> str:
    x, indices = call.input(0), call.input(1)
    shape, known = b.shape(x), b.array(indices)
    axis = call.axis(call.integer("axis", 0), len(shape))
    if known is None:
        return b.emit(Gather(axis=axis), [x, indices])
    if known.size and not (-shape[axis] <= known.min() and known.max() < shape[axis]):
        raise call.bad(f"its indices leave axis {axis} of {shape}")
    wanted = np.where(known < 0, known + shape[axis], known).astype(np.int64)
    out = (*shape[:axis], *known.shape, *shape[axis + 1 :])
    flat = wanted.reshape(-1).tolist()
    step = flat[1] - flat[0] if len(flat) > 1 else 1
    if flat and step and flat == [flat[0] + step * i for i in range(len(flat))]:
        starts = [flat[0] if i == axis else 0 for i in range(len(shape))]
        sizes = [len(flat) if i == axis else n for i, n in enumerate(shape)]
        steps = [step if i == axis else 1 for i in range(len(shape))]
        return b.reshape(b.slice(x, starts, sizes, steps), out)
    return b.emit(Gather(axis=axis), [x, b.constant(wanted)])


def one_hot(b: Builder, call: Call) -> str:
    """`on` where a counter along the new axis equals the index, `off` elsewhere. Negative indices
    count from the end."""
    indices, known = call.input(0), b.known(call, 1, "depth")
    depth = int(known.reshape(-1)[0]) if known is not None and known.size == 1 else 0
    if depth < 1 or b.shape(call.input(2)) != (2,):
        raise call.bad("its depth must be 1 at least and its values must be two")
    call.require_small(depth)
    rank = b.rank(indices) + 1
    axis = call.axis(call.integer("axis", -1), rank)
    at = list(b.shape(indices))
    at.insert(axis, 1)
    counter = np.arange(depth, dtype=np.float32)
    counter = counter.reshape([-1 if i == axis else 1 for i in range(rank)])
    off, on = (b.reshape(b.slice(call.input(2), (i,), (1,)), ()) for i in (0, 1))
    return b.pointwise(
        lambda i, c, p, q: prim("select", greatest(eq(c, i), eq(c, i + depth)), p, q),
        b.reshape(indices, at), b.constant(counter), on, off, result=b.dtype(call.input(2)))


def cumulative_sum(b: Builder, call: Call) -> str:
    x, axis = call.input(0), b.known_ints(call, 1, "axis")
    if not axis:
        raise call.bad("its axis is missing")
    attrs = CumSum(axis=call.axis(axis[0], b.rank(x)),
                   exclusive=bool(call.integer("exclusive", 0)),
                   reverse=bool(call.integer("reverse", 0)))
    return b.emit(attrs, [x])


def trilu(b: Builder, call: Call) -> str:
    """x where a constant triangle is 1, and 0 elsewhere."""
    x, k = call.input(0), b.known_ints(call, 1, "k")
    rows, cols = b.shape(x)[-2:]
    call.require_small(rows * cols)
    ones, at = np.ones((rows, cols), np.float32), k[0] if k else 0
    mask = np.triu(ones, at) if call.integer("upper", 1) else np.tril(ones, at)
    return b.pointwise(lambda v, m: prim("select", m, v, 0), x, b.constant(mask))


LOWERINGS = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Pad": pad,
    "Expand": expand,
    "Tile": tile,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Gather": gather,
    "OneHot": one_hot,
    "CumSum": cumulative_sum,
    "Trilu": trilu,
}
