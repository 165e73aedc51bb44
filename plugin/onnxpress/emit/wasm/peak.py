"""How fast arithmetic can be in WebAssembly here: a module that does nothing else."""

from .asm import I32, Function, Module

# Independent sums: fused steps have a latency of 4 cycles on two ports, so 8 of them keep both
# busy, and mul then add needs as many; with two operands they still fit 16 registers.
SUMS = 12
FLOPS = 2 * 4 * SUMS  # of a round


def peak_module(isa: str) -> bytes:
    """Exports spin(rounds): each round multiplies and adds SUMS vectors, fused on "relaxed"."""
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
    f.op("v128.any_true")  # the sums are wanted, so no compiler drops them
    module = Module()
    module.add(f, export=True)
    return module.encode(1)
