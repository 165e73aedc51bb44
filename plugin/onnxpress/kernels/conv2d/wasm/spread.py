"""Convolutions with fewer than 8 output channels, which would leave lanes of a tile unused.

A product with a window one column wide computes all taps of a kernel row as output channels:
P[x, kx * O + o]. A second pass adds shifted columns: out[x, o] = sum over kx of P[x + kx, kx, o].
"""

from functools import partial

from ....emit.layout import SLACK, Packing, Step, round_up
from ....emit.wasm import packings
from ....emit.wasm.asm import I32, Function, function
from ....emit.wasm.emitter import Affine, Emitter, address
from ....emit.wasm.epilogue import Epilogue, Finisher, epilogue
from ....emit.wasm.gemm import Gemm, emit_gemm
from ....emit.wasm.share import own, share
from .conv import Algorithm, Conv

# Time of a lane in a tile of 4 channels, in units of a lane's in a tile of 8. Chosen by trial.
NARROW = 1.25


def worthwhile(v: Conv) -> bool:
    """Whether the second pass takes less time than the unused lanes: both in cycles per row of
    outputs."""
    if v.o >= 8 or v.kw == 1 or v.strides[1] != 1 or v.groups != 1:
        return False
    direct, spread = v.kw * _lanes(v.o) * v.ow, _lanes(v.kw * v.o) * columns(v)
    return v.kh * v.c * (direct - spread) / 8 > (v.kw + 4) * _vectors(v) * v.ow


def _lanes(channels: int) -> float:
    """The time of a product with `channels` outputs, in lanes of a tile of 8."""
    rest = channels % 8
    return channels - rest + (NARROW * 4 if 0 < rest <= 4 else 8 * (rest > 0))


def _vectors(v: Conv) -> int:
    return -(-v.o // 4)


def packing(v: Conv) -> Packing:
    return packings.spread(v.kh, v.kw, v.c, v.o)


def columns(v: Conv) -> int:
    """Columns of P: all columns of x that the windows of a row touch."""
    return v.ow + (v.kw - 1) * v.dilations[1]


def scratch(v: Conv) -> int:
    """f32 elements of one row of P."""
    return columns(v) * round_up(v.kw * v.o, 4) + SLACK


def emit(step: Step, v: Conv, e: Emitter) -> None:
    """For each row of outputs the product and then the sums. Threads share the rows."""
    x, w, bias = step.inputs[:3]
    out = step.outputs[0]
    finish, extras = epilogue(step)
    pitch = 4 * round_up(v.kw * v.o, 4)
    row = own(e, step.scratch, scratch(v))
    with share(e, v.oh) as (first, rows), e.times(v.n) as image, e.times(rows) as i:
        y = first + i
        source = image * (4 * x.strides[0]) + y * (4 * v.strides[0] * x.strides[1])
        emit_gemm(e, Gemm(
            a=source + v.window(x), a_x=4 * x.strides[2], run=v.c,
            taps=((v.kh, 4 * v.dilations[0] * x.strides[1]),), out=row, out_x=pitch,
            b=Affine(address(w)), bias=None, n=v.kw * v.o, width=columns(v),
        ))
        variant = v.kw, _vectors(v), finish
        e.call(
            e.kernel(("spread_add", *variant), partial(_add, e, *variant)), row,
            address(out) + image * (4 * out.strides[0]) + y * (4 * out.strides[1]), v.ow, pitch,
            v.dilations[1] * pitch + 4 * v.o, 4 * out.strides[2], address(bias), *extras,
        )


def _add(e: Emitter, kw: int, vectors: int, finish: Epilogue) -> Function:
    """The function that adds up `width` outputs from P at `p`. `shift`: bytes from one tap's
    element in P to the next tap's."""
    names = "p out width pitch shift out_x bias" + finish.params
    f, p = function(f"spread_add{kw}", names)
    finisher = Finisher(e, f, finish, [getattr(p, x) for x in finish.params.split()])
    tap, channel, at = f.many(3, I32)
    bias, acc = f.many(vectors), f.many(vectors)
    for v in range(vectors):
        f.get(p.bias).load("v128.load", 16 * v).set(bias[v])
    with f.times(p.width):
        f.get(p.p).set(tap)
        for k in range(kw):
            for v in range(vectors):
                f.get(tap).load("v128.load", 16 * v).get(acc[v] if k else bias[v])
                f.op("f32x4.add").set(acc[v])
            f.add_local(tap, p.shift)
        f.get(p.out).set(at)
        for v in range(vectors):
            finisher.store(at, channel, acc[v], 16 * v)
        f.add_local(p.p, p.pitch).add_local(p.out, p.out_x)
    return f


SPREAD = Algorithm(worthwhile, packing, emit, scratch=scratch)
