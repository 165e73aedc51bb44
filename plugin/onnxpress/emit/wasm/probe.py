"""The tiles of matrix products, in f32 and in integers, that runtime/targets/wasm/probe.js times.

The tile is the programs' own, on operands that stay in the L1 cache: a loop of bare instructions
would not see what loads and splats cost beside them.
"""

from pathlib import Path

from ..embed import embed
from ..layout import LinearPlan
from .emitter import Affine, Emitter
from .epilogue import Epilogue
from .gemm import Gemm, emit_gemm

KINDS = {"relaxed": ("f32", "u8", "i16"), "simd128": ("f32", "i16")}
RUN, PIXELS, CHANNELS = 94, 96, 8  # elements of f32, or words of whole numbers: unrolled twice
OUT, WEIGHTS, BIAS = 40_000, 48_000, 56_000  # bytes; operands from 0 on, all zero
ELEMENTS = 16_000


def probe(isa: str) -> bytes:
    """A module whose exports, named by kind, do PIXELS * CHANNELS * RUN multiply-adds in f32, and
    as many steps of a dot product of whole numbers."""
    e = Emitter(isa, LinearPlan("wasm", (), (), (), (), 0, ELEMENTS))
    for kind in KINDS[isa]:
        e.begin(kind)
        emit_gemm(e, Gemm(
            a=Affine(), a_x=4 * RUN, run=RUN, width=PIXELS, n=CHANNELS, out=Affine(OUT),
            out_x=4 * CHANNELS, b=Affine(WEIGHTS), bias=Affine(BIAS), dot=kind,
            epilogue=Epilogue(whole=kind != "f32")))
        e.module.add(e.step, export=True)
    return e.encode()


def fill(script: str) -> str:
    """probe.js with the modules as this generator makes them."""
    for isa in KINDS:
        script = embed(script, isa, probe(isa))
    return script


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "runtime/targets/wasm/probe.js"
    path.write_text(fill(path.read_text("utf-8")), "utf-8")
