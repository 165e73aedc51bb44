"""Depthwise convolutions: one filter per channel, four channels to a vector.

A block of neighbouring outputs shares a row of inputs. Each input column is loaded once and is
added to every output whose window covers it. The block's accumulators and one row of weights fill
the registers; independent accumulators hide the latency of multiply-adds.
"""

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

from ....emit.layout import Packing, Step, round_up
from ....emit.wasm import packings
from ....emit.wasm.asm import I32, V128, Function, function
from ....emit.wasm.emitter import Affine, Emitter, address
from ....emit.wasm.epilogue import Epilogue, Finisher, epilogue
from ....emit.wasm.share import share
from .conv import Algorithm, Conv

REGISTERS = 14  # engines allocate 15 vector registers on x86-64; one holds the loaded column


def worthwhile(v: Conv) -> bool:
    """Whether each channel is a group of its own, with one output."""
    return v.groups == v.c == v.o and v.c > 1


def packing(v: Conv) -> Packing:
    return packings.depthwise(v.kh * v.kw, v.c)


def block(width: int, taps: int) -> int:
    """How many outputs of a row are computed together: the number that covers `width` with the
    least waste, and among equals the largest. `taps`: columns of the window."""
    most = max(4, min(8, REGISTERS - taps))
    sizes = range(min(width, 4), min(width, most) + 1)
    return min(sizes, key=lambda size: (-(-width // size) * (size + 1), -size))


def emit(step: Step, v: Conv, e: Emitter) -> None:
    """One call for each image. Threads share the rows of outputs."""
    x, out = step.inputs[0], step.outputs[0]
    with share(e, v.oh) as (first, rows), e.times(v.n) as image:
        emit_rows(step, v, e, v.row(x, image, first),
                  address(out) + image * (4 * out.strides[0]) + first * (4 * out.strides[1]), rows)


def emit_rows(step: Step, v: Conv, e: Emitter, a: Affine, out: Affine, rows: Affine) -> None:
    """One call for `rows` rows of outputs. `out` and `a` are byte addresses of the first output and
    of its window."""
    x, w, bias = step.inputs[:3]
    y = step.outputs[0]
    finish, extras = epilogue(step)
    variant = Variant(block(v.ow, v.kw), v.kw, v.strides[1], v.dilations[1], finish)
    e.call(
        e.kernel(("depthwise", variant), partial(_kernel, e, variant)), a, out, rows, v.ow,
        4 * x.strides[2], 4 * v.strides[1] * x.strides[2], 4 * v.strides[0] * x.strides[1], v.kh,
        4 * v.dilations[0] * x.strides[1], 4 * y.strides[2], 4 * y.strides[1], address(w),
        address(bias), 4 * round_up(v.c, 4), *extras,
    )


@dataclass(frozen=True, slots=True)
class Variant:
    """What the code of one depthwise function depends on: `size` outputs to a block, `kw` columns
    of the window, stride and dilation along a row, and the epilogue."""

    size: int
    kw: int
    stride: int
    dilation: int
    epilogue: Epilogue


def _kernel(e: Emitter, v: Variant) -> Function:
    """The function that computes rows of outputs, `v.size` outputs at a time. A last block that
    would pass the row's end starts earlier and computes some outputs again."""
    finish = v.epilogue
    names = "a out height width pixel a_x a_y kh tap_row out_x out_y w bias c_end" + finish.params
    f, p = function(f"depthwise{v.size}x{v.kw}", names)
    finisher = Finisher(e, f, finish, [getattr(p, x) for x in finish.params.split()])
    acc, at, here, to, left, c, w = f.many(v.size), *f.many(6, I32)
    state = SimpleNamespace(p=p, acc=acc, w=w, here=here, c=c)
    with f.times(p.height):
        f.get(p.a).set(here).get(p.out).set(to).get(p.width).set(left)
        with f.loop():
            f.i32(0).set(c).get(p.w).set(w)
            with f.loop():
                f.get(p.bias, c).op("i32.add").load("v128.load").set(acc[0])
                for x in acc[1:]:
                    f.get(acc[0]).set(x)
                _rows(e, f, v, state)
                f.get(to, c).op("i32.add").set(at)
                for x in acc:
                    finisher.store(at, c, x)
                    f.add_local(at, p.out_x)
                f.add(c, 16).get(c, p.c_end).op("i32.lt_u").br_if(0)
            _advance(f, p, v.size, here, to, left)
        f.add_local(p.a, p.a_y).add_local(p.out, p.out_y)
    return f


def _rows(e: Emitter, f: Function, v: Variant, t: SimpleNamespace) -> None:
    """Adds all rows of the windows to the accumulators."""
    row, column, ky = f.many(3, I32)
    weights, value = f.many(v.kw), f.local(V128)
    offsets = sorted({i * v.stride + k * v.dilation for i in range(v.size) for k in range(v.kw)})
    f.get(t.here, t.c).op("i32.add").set(row).get(t.p.kh).set(ky)
    with f.times(ky):
        for k in range(v.kw):
            f.get(t.w).load("v128.load", 16 * k).set(weights[k])
        f.add(t.w, 16 * v.kw).get(row).set(column)
        for offset, following in zip(offsets, [*offsets[1:], offsets[-1]], strict=True):
            f.get(column).load("v128.load").set(value)
            for _ in range(following - offset):
                f.add_local(column, t.p.pixel)
            for k in range(v.kw):
                i, rest = divmod(offset - k * v.dilation, v.stride)
                if rest == 0 and 0 <= i < v.size:
                    e.madd(f, value, weights[k], t.acc[i])
        f.add_local(row, t.p.tap_row)


def _advance(f: Function, p: SimpleNamespace, size: int, here: int, to: int, left: int) -> None:
    """Moves to the row's next block and repeats the enclosing loop, if outputs are left."""
    step = f.local(I32)
    f.get(left).i32(size).op("i32.sub").tee(left).i32(0).op("i32.gt_s")
    with f.if_():
        f.get(left).i32(size).get(left).i32(size).op("i32.lt_s", "select").set(step)
        f.get(here, step, p.a_x).op("i32.mul", "i32.add").set(here)
        f.get(to, step, p.out_x).op("i32.mul", "i32.add").set(to)
        f.br(1)


DEPTHWISE = Algorithm(worthwhile, packing, emit, align=4)
