"""1x1 convolutions with one output pixel: a vector times the weights, which are not repacked."""

from ....emit.layout import Packing, Step
from ....emit.wasm.emitter import Affine, Emitter, address
from ....emit.wasm.epilogue import epilogue
from ....emit.wasm.gemm import Gemm
from ....emit.wasm.gemv import emit_gemv
from .conv import Algorithm, Conv


def worthwhile(v: Conv) -> bool:
    """Whether the convolution is 1x1 with one output pixel and one group."""
    return v.oh * v.ow * v.kh * v.kw == 1 and v.groups == 1


def packing(v: Conv) -> Packing:
    """The weights as they are, w[c, o]."""
    return Packing("raw", v.c * v.o)


def emit(step: Step, v: Conv, e: Emitter) -> None:
    """One product per image."""
    x, w, bias = step.inputs[:3]
    out = step.outputs[0]
    finish, extras = epilogue(step)
    with e.times(v.n) as image:
        emit_gemv(e, Gemm(
            a=v.window(x) + image * (4 * x.strides[0]),
            out=address(out) + image * (4 * out.strides[0]),
            b=Affine(address(w)), b_row=4 * w.strides[2], bias=Affine(address(bias)),
            n=v.o, run=v.c, width=1, epilogue=finish, extras=extras,
        ))


VECTOR = Algorithm(worthwhile, packing, emit)
