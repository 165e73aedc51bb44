"""Runs of contiguous lanes inside a WebAssembly function."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .asm import Function
from .emitter import Emitter

UNROLL = 4  # vectors that one round of a run computes: one cache line of 64 bytes


@contextmanager
def at_least(f: Function, left: int, unit: int) -> Iterator[None]:
    """The body runs while local `left` >= `unit`; each round takes `unit` off `left`."""
    with f.block():
        f.get(left).i32(unit).op("i32.lt_s").br_if(0)
        with f.loop():
            yield
            f.get(left).i32(unit).op("i32.sub").tee(left).i32(unit).op("i32.ge_s").br_if(0)


def store_run(f: Function, left: int, dst: int, sources: Sequence[int],
              compute: Callable[[int], Sequence[int]], unroll: int = UNROLL) -> None:
    """Stores exactly `left` contiguous f32 at `dst`. `left` is a local, at least 1; it is consumed.

    compute(k) emits code for the next 4k values and returns the k v128 locals that hold them.
    `dst` and `sources` are locals with byte addresses; both advance past all whole vectors.
    """
    for k in dict.fromkeys((unroll, 1)):
        with at_least(f, left, 4 * k):
            for v, value in enumerate(compute(k)):
                f.get(dst, value).store("v128.store", 16 * v)
            for pointer in (dst, *sources):
                f.add(pointer, 16 * k)
    f.get(left)
    with f.if_():
        store_lanes(f, left, dst, compute(1)[0])


def store_lanes(f: Function, count: int, dst: int, value: int) -> None:
    """Stores the first `count` lanes of `value` at `dst`. All three are locals, `count` is 1..3;
    `dst` and `value` change."""
    f.get(count).i32(2).op("i32.and")
    with f.if_():
        f.get(dst, value).store_lane("v128.store64_lane", 0)
        f.get(value, value).shuffle(2, 3, 2, 3).set(value).add(dst, 8)
    f.get(count).i32(1).op("i32.and")
    with f.if_():
        f.get(dst, value).store_lane("v128.store32_lane", 0)


def first_lanes(f: Function, count: int) -> None:
    """Pushes a mask: all bits of the lanes below local `count`, none of the others."""
    f.i32x4(0, 1, 2, 3).get(count).op("i32x4.splat", "i32x4.lt_s")


def load_or_splat(e: Emitter, f: Function, vector: bool, address: int, value: int,
                  offset: int = 0) -> None:
    """value = the four f32 at `address` + `offset` bytes (`vector`), or the one f32 at `address`
    in all lanes."""
    if vector:
        f.get(address).load("v128.load", offset)
    else:
        e.splat(f, address, 0)
    f.set(value)
