"""Copies in WebAssembly: runs of vectors if source and target have stride 1 along the same axis,
4x4 transposes if along different axes, and single elements otherwise."""

from ...emit.layout import Needs, Step, Tensor
from ...emit.loops import collapse
from ...emit.wasm.asm import Function, function
from ...emit.wasm.convert import emit_convert
from ...emit.wasm.emitter import Emitter
from ...emit.wasm.map import emit_fill, emit_map
from ...emit.wasm.nest import Nest, View, call_nest, padded_shape, share_nest, view
from ...emit.wasm.share import sync
from ...graph.expr import inp
from ...graph.graph import Graph, Node, Shape
from ...graph.storage import F32
from ...ops import moves
from ...ops.copies import Move


def needs(node: Node, graph: Graph) -> Needs:
    return Needs()


def emit(step: Step, e: Emitter) -> None:
    out = step.outputs[0]
    if {out.storage, step.inputs[0].storage} != {F32}:
        emit_convert(e, inp(0), out, step.inputs[0])
        return
    plan = moves(step.node, [t.shape for t in step.inputs], out.shape,
                 [t.strides for t in step.inputs], out.strides)
    if plan.fill is not None:
        emit_fill(e, plan.fill, out.shape, view(out, out.shape))
        sync(e)
    for part in plan.parts:
        _move(e, part, step.inputs[part.source], out)


def _move(e: Emitter, part: Move, x: Tensor, out: Tensor) -> None:
    """Copies one rectangle."""
    dst = View(out.offset + part.dst_offset, part.dst_strides)
    src = View(x.offset + part.src_offset, part.src_strides)
    lengths, strides = collapse(part.shape, [dst.strides, src.strides])
    targets, sources = strides
    nest = Nest((1, *lengths), ((0, *targets), (0, *sources)), (dst.offset, src.offset))
    if not lengths or (targets[-1] == 1 and sources[-1] in (0, 1)):
        emit_map(e, inp(0), _whole_pixels(part.shape, out), dst, [src])
    elif targets[-1] == 1 and 1 in sources:
        _transpose(e, nest)
    else:
        _scatter(e, nest)


def _whole_pixels(shape: Shape, out: Tensor) -> Shape:
    """The rectangle's shape, with the padding of pixels if the rectangle has all channels."""
    return (*shape[:-1], padded_shape(out)[-1]) if shape[-1:] == out.shape[-1:] else shape


def _transpose(e: Emitter, nest: Nest[int]) -> None:
    """Copies whole 4x4 blocks of the two axes with stride 1, then the strips beside them."""
    targets, sources = nest.strides
    across, down = len(nest.lengths) - 1, sources.index(1)
    outer = [a for a in range(len(nest.lengths)) if a not in (across, down)]
    n, m = nest.lengths[across], nest.lengths[down]
    whole_n, whole_m = (n - n % 4, m - m % 4) if min(n, m) >= 4 else (0, 0)
    if whole_n:
        blocks = Nest((*(nest.lengths[a] for a in outer), whole_m // 4),
                      tuple((*(s[a] for a in outer), 4 * s[down]) for s in nest.strides),
                      nest.offsets)
        with share_nest(e, blocks, lane=1) as mine:
            call_nest(e, e.kernel(("transpose",), _build_transpose),
                      mine.ordered(range(len(outer))),
                      (whole_n // 4, mine.lengths[-1], 4 * targets[down], 4 * sources[across]))
    strips = nest.ordered([*outer, across, down])
    for at_n, at_m, count_n, count_m in ((0, whole_m, whole_n, m - whole_m),
                                         (whole_n, 0, n - whole_n, m)):
        if count_n and count_m:
            offsets = (nest.offsets[0] + at_n + at_m * targets[down],
                       nest.offsets[1] + at_n * sources[across] + at_m)
            _scatter(e, Nest((*strips.lengths[:-2], count_n, count_m), strips.strides, offsets))


def _build_transpose() -> Function:
    """The function transpose(dst, src, n, m, dst_step, src_step): x[4n, 4m] at src becomes
    y[4m, 4n] at dst. A step is the distance of two rows in bytes."""
    f, p = function("transpose", "dst src n m dst_step src_step")
    d, s, c = f.local(), f.local(), f.local()
    rows, halves = f.many(4), f.many(4)
    with f.times(p.m):
        f.get(p.dst).set(d).get(p.src).set(s).get(p.n).set(c)
        with f.times(c):
            for row in rows:
                f.get(s).load("v128.load").set(row).add_local(s, p.src_step)
            for i, (a, b) in enumerate(((0, 1), (2, 3))):
                f.get(rows[a], rows[b]).shuffle(0, 4, 1, 5).set(halves[i])
                f.get(rows[a], rows[b]).shuffle(2, 6, 3, 7).set(halves[i + 2])
            f.get(d)
            for i, lanes in enumerate(((0, 1, 4, 5), (2, 3, 6, 7)) * 2):
                pair = 2 * (i // 2)
                f.get(halves[pair], halves[pair + 1]).shuffle(*lanes).store("v128.store")
                if i < 3:
                    f.get(d, p.dst_step).op("i32.add").tee(d)
            f.get(d, p.dst_step).i32(3).op("i32.mul", "i32.sub").i32(16).op("i32.add").set(d)
        f.add(p.src, 16).get(p.dst, p.dst_step).i32(2).op("i32.shl", "i32.add").set(p.dst)
    return f


def _scatter(e: Emitter, nest: Nest[int]) -> None:
    """Copies single elements, in rows along the innermost axis."""
    with share_nest(e, nest, lane=1) as mine:
        call_nest(e, e.kernel(("scatter",), _build_scatter),
                  mine.ordered(range(len(mine.lengths) - 2)),
                  (*mine.lengths[:-3:-1], *mine.steps(-1), *mine.steps(-2)))


def _build_scatter() -> Function:
    """The function scatter(dst, src, n, rows, ...): `rows` rows of `n` elements. Steps are
    distances of elements and of rows, in bytes."""
    f, p = function("scatter", "dst src n rows dst_step src_step dst_row src_row")
    d, s, c = f.local(), f.local(), f.local()
    with f.times(p.rows):
        f.get(p.dst).set(d).get(p.src).set(s).get(p.n).set(c)
        with f.times(c):
            f.get(d, s).load("f32.load").store("f32.store")
            f.add_local(d, p.dst_step).add_local(s, p.src_step)
        f.add_local(p.dst, p.dst_row).add_local(p.src, p.src_row)
    return f
