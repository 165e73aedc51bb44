"""Convolutions as implicit matrix products, for each image and each group of channels. Products of
whole numbers have one group."""

from contextlib import nullcontext

from ....emit.layout import Packing, Step, Tensor, round_up
from ....emit.wasm import packers, packings
from ....emit.wasm.emitter import Affine, Argument, Emitter, address, affine
from ....emit.wasm.epilogue import epilogue
from ....emit.wasm.gemm import Gemm, emit_gemm
from ....emit.wasm.share import MANY, share, sync
from ....graph.storage import ELEMENT_BYTES
from .conv import Algorithm, Conv


def packing(v: Conv, pitch: int | None = None) -> Packing:
    """The order of the weights. `pitch`: elements between rows of w if w is computed."""
    taps, c, o = v.kh * v.kw, v.c // v.groups, v.o // v.groups
    if merge(v) > 1:
        return packings.blocks(taps, c, o, v.groups, merge(v), pitch)
    return packings.gemm(taps * c, o, v.groups, pitch)


def scratch(v: Conv) -> int:
    """f32 elements into which computed weights are packed at run time."""
    return 0 if v.constant else packing(v).elements


def merge(v: Conv) -> int:
    """How many groups run as one product with block-diagonal weights: the fewest that fill whole
    vectors of 4 outputs, or else all."""
    each = v.o // v.groups
    fit = (m for m in range(1, v.groups) if v.groups % m == 0 and m * each % 4 == 0)
    return next(fit, v.groups)


def emit(step: Step, v: Conv, e: Emitter) -> None:
    """One product for each image and each merged group. Threads share the groups if there are at
    least MANY, and otherwise the pixels or channels of each product."""
    x, w = step.inputs[:2]
    out = step.outputs[0]
    weights = address(w) if v.constant else _pack_now(step, v, e)
    c, o = v.c // v.groups * merge(v), v.o // v.groups * merge(v)
    groups = v.groups // merge(v)
    some = share(e, groups) if groups >= MANY else nullcontext((Affine(), groups))
    with some as (first, count), e.times(v.n) as image, e.times(count) as i:
        group = first + i
        channel = group * (4 * o)
        emit_gemm(e, gemm(
            step, v, v.row(x, image, Affine()) + group * (4 * c),
            address(out) + image * (out.storage.bytes * out.strides[0]) + channel, v.oh,
            b=weights + group * (4 * v.kh * v.kw * c * -(-o // 4) * 4), channel=channel))


def gemm(step: Step, v: Conv, a: Affine, out: Affine, height: int, b: Argument,
         channel: Argument = 0, limit: Affine | None = None) -> Gemm:
    """The product of one merged group for `height` rows of outputs. `a`, `out` and `b` are byte
    addresses of the first window, the first output and the group's weights. `channel`: byte offset
    of the group's channels in a pixel. `limit`: as in Gemm."""
    x, y = step.inputs[0], step.outputs[0]
    c, o = v.c // v.groups * merge(v), v.o // v.groups * merge(v)
    x_bytes, y_bytes = x.storage.bytes, y.storage.bytes
    per = ELEMENT_BYTES["f32"] // x_bytes
    taps, run = _taps(v, x, round_up(c, per))
    finish, extras = epilogue(step)
    return Gemm(
        a=a, out=out, b=affine(b), bias=affine(channel) + address(step.inputs[2]),
        n=o, run=run // per, taps=taps, width=v.ow, height=height, dot=x.storage.kind,
        a_x=x_bytes * v.strides[1] * x.strides[2], a_row=x_bytes * v.strides[0] * x.strides[1],
        out_x=y_bytes * y.strides[2], out_row=y_bytes * y.strides[1],
        epilogue=finish, extras=finish.args(extras, channel), limit=limit,
    )


def _taps(v: Conv, x: Tensor, c: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """(levels, run) of a window with `c` channels: (count, pitch in bytes) of each level of runs,
    outermost first, and the elements of a run. Taps that touch each other are one run."""
    taps, run = [], c
    across, down = v.dilations[1] * x.strides[2], v.dilations[0] * x.strides[1]
    for count, pitch in ((v.kw, across), (v.kh, down)):
        if count > 1 and not taps and pitch == run:
            run *= count
        elif count > 1:
            taps.insert(0, (count, x.storage.bytes * pitch))
    return tuple(taps), run


def _pack_now(step: Step, v: Conv, e: Emitter) -> int:
    """Packs computed weights into scratch at run time; returns their byte address."""
    w = step.inputs[1]
    how = packing(v, w.strides[2])
    e.call(packers.export(how.kind, e), address(w), 4 * step.scratch, *how.args)
    sync(e)
    return 4 * step.scratch


PRODUCT = Algorithm(lambda v: True, packing, emit, scratch=scratch)
DOT = {kind: Algorithm(lambda v: v.groups == 1,
                       lambda v, kind=kind: packings.dot(kind, v.kh * v.kw, v.c, v.o), emit,
                       align=4)
       for kind in ("u8", "i16")}
