"""A module of nothing but arithmetic: it measures the peak rate of f32 in WebAssembly."""

from .asm import I32, Function, Module

# Independent sums. A fused multiply-add takes 4 cycles, and x86 starts two a cycle, so 8 sums keep
# the processor busy; 12 sums and two operands still fit 16 registers.
SUMS = 12
FLOPS = 2 * 4 * SUMS  # floating-point operations of a round


def peak_module(isa: str) -> bytes:
    """A module that exports spin(rounds). Each round multiplies and adds SUMS vectors of 4 f32,
    fused if `isa` is "relaxed"."""
    f = Function("spin", [I32], I32)
    sums, (half, one) = f.many(SUMS), f.many(2)
    f.f32x4(0.5).set(half).f32x4(1.0).set(one)
    with f.times(0):
        for s in sums:
            if isa == "relaxed":
                f.get(s, half, one).op("f32x4.relaxed_madd").set(s)
            else:
                f.get(s, half).op("f32x4.mul").get(one).op("f32x4.add").set(s)
    f.get(sums[0])
    for s in sums[1:]:
        f.get(s).op("v128.or")
    f.op("v128.any_true")  # the result depends on all sums, so no compiler drops one
    module = Module()
    module.add(f, export=True)
    return module.encode(1)
