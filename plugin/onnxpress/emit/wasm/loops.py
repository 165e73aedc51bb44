"""Runs of contiguous lanes inside a WebAssembly function."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .asm import Function
from .emitter import Emitter

UNROLL = 4  # vectors a run computes at once: one 64-byte cache line


@contextmanager
def at_least(f: Function, left: int, unit: int) -> Iterator[None]:
    """The body runs while local `left` >= `unit`, which is taken off after each time."""
    with f.block():
        f.get(left).i32(unit).op("i32.lt_s").br_if(0)
        with f.loop():
            yield
            f.get(left).i32(unit).op("i32.sub").tee(left).i32(unit).op("i32.ge_s").br_if(0)


def store_run(f: Function, left: int, dst: int, sources: Sequence[int],
              compute: Callable[[int], Sequence[int]], unroll: int = UNROLL) -> None:
    """Stores exactly `left` (a local, >= 1; consumed) contiguous f32 at `dst`.

    compute(k) emits the next 4k values and returns the k v128 locals that hold them. `dst` and
    `sources`, address locals, have advanced past all whole vectors in the end.
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
    """Stores the first `count` (a local, 1..3) lanes of `value` at `dst`; changes dst, value."""
    f.get(count).i32(2).op("i32.and")
    with f.if_():
        f.get(dst, value).store_lane("v128.store64_lane", 0)
        f.get(value, value).shuffle(2, 3, 2, 3).set(value).add(dst, 8)
    f.get(count).i32(1).op("i32.and")
    with f.if_():
        f.get(dst, value).store_lane("v128.store32_lane", 0)


def first_lanes(f: Function, count: int) -> None:
    """Pushes a mask of the lanes below local `count`."""
    f.i32x4(0, 1, 2, 3).get(count).op("i32x4.splat", "i32x4.lt_s")


def load_or_splat(e: Emitter, f: Function, vector: bool, address: int, value: int,
                  offset: int = 0) -> None:
    """`value` = four f32 at `address` + `offset`, or the one there in all lanes."""
    if vector:
        f.get(address).load("v128.load", offset)
    else:
        e.splat(f, address, 0)
    f.set(value)
