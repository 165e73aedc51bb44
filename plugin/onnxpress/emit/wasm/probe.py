"""The modules in runtime/targets/wasm/probe.js, which times products of f32 and whole numbers.

They run the programs' own tile, on operands that stay in the L1 cache. A loop of bare instructions
would leave out the time of loads and splats.
"""

from pathlib import Path

from ..embed import embed
from ..layout import LinearPlan
from .emitter import Affine, Emitter
from .epilogue import Epilogue
from .gemm import Gemm, emit_gemm

KINDS = {"relaxed": ("f32", "u8", "i16"), "simd128": ("f32", "i16")}
RUN = 94  # 4-byte elements along K: f32, or units of whole numbers; the kernel unrolls it twice
PIXELS, CHANNELS = 96, 8
OUT, WEIGHTS, BIAS = 40_000, 48_000, 56_000  # byte addresses; A lies at 0, and all operands are 0
ELEMENTS = 16_000  # f32 elements of the heap


def probe(isa: str) -> bytes:
    """A module that exports one function for each of KINDS[isa], named so. A call does PIXELS *
    CHANNELS * RUN multiply-adds of f32, or as many dot products of 4-byte units."""
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
    """The text of probe.js with all modules made anew."""
    for isa in KINDS:
        script = embed(script, isa, probe(isa))
    return script


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "runtime/targets/wasm/probe.js"
    path.write_text(fill(path.read_text("utf-8")), "utf-8", newline="\n")
