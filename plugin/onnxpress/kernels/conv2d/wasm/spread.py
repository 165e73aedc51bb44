"""Convolutions with few outputs (O < 8), which would leave lanes of a tile unused.

The taps of a kernel row stand side by side as output channels of a product one column wide, P[x, kx
* O + o]. A second pass adds up the shifted columns: out[x, o] = sum_kx P[x + kx, kx, o].
"""

from ....emit.layout import SLACK, Packing, Step, round_up
from ....emit.wasm import packings
from ....emit.wasm.asm import I32, Function, function
from ....emit.wasm.emitter import Affine, Emitter, address
from ....emit.wasm.epilogue import Epilogue, Finisher, epilogue
from ....emit.wasm.gemm import Gemm, emit_gemm
from ....emit.wasm.share import own, share
from .conv import Conv, Way

NARROW = 1.25  # time of a lane in a tile of 4 channels over a lane's time in a tile of 8


def worthwhile(v: Conv) -> bool:
    """Whether the saved lanes pay for the second pass, in cycles per row of outputs."""
    if v.o >= 8 or v.kw == 1 or v.strides[1] != 1 or v.groups != 1:
        return False
    direct, spread = v.kw * _lanes(v.o) * v.ow, _lanes(v.kw * v.o) * columns(v)
    return v.kh * v.c * (direct - spread) / 8 > (v.kw + 4) * _vectors(v) * v.ow


def _lanes(channels: int) -> float:
    rest = channels % 8
    return channels - rest + (NARROW * 4 if 0 < rest <= 4 else 8 * (rest > 0))


def _vectors(v: Conv) -> int:
    return -(-v.o // 4)


def packing(v: Conv) -> Packing:
    return packings.spread(v.kh, v.kw, v.c, v.o)


def columns(v: Conv) -> int:
    """The columns of P that any window of a row reads."""
    return v.ow + (v.kw - 1) * v.dilations[1]


def scratch(v: Conv) -> int:
    """Elements of one row of P."""
    return columns(v) * round_up(v.kw * v.o, 4) + SLACK


def emit(step: Step, v: Conv, e: Emitter) -> None:
    """Row by row: the product, then the sums. Threads share the rows."""
    x, w, bias = step.inputs[:3]
    out = step.outputs[0]
    finish, extras = epilogue(step, 3)
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
        key = ("spread_add", v.kw, _vectors(v), finish)
        e.call(
            e.kernel(key, lambda: _add(e, *key[1:])), row,
            address(out) + image * (4 * out.strides[0]) + y * (4 * out.strides[1]), v.ow, pitch,
            v.dilations[1] * pitch + 4 * v.o, 4 * out.strides[2], address(bias), *extras,
        )


def _add(e: Emitter, kw: int, vectors: int, finish: Epilogue) -> Function:
    """`width` outputs from P at `p`. `shift`: bytes from one tap's column to the next tap's."""
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


SPREAD = Way(worthwhile, packing, emit, scratch=scratch)
