"""How the threads of a run share a step.

Every thread runs every step. In each phase of the step a thread computes its share: some of the
rows, columns, channels or tiles. A thread computes its elements as a single thread would, in the
same order, so the bits are equal for any number of threads. A thread whose share is empty goes on
to the next barrier.

`sync` separates two phases where one thread reads or overwrites what another thread has written.
Each phase is a WebAssembly function of its own, because workers without shared memory run the
phases one by one and exchange elements in between (decision 0017). The first thread alone runs
everything emitted outside of `share`.

    with share(e, rows) as (first, count):       # this thread's rows: first..first + count
        with e.times(count) as i:
            e.call(kernel, out + (first + i) * pitch, ...)
    sync(e)                                      # all rows are written
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..layout import ALIGN, SLACK, round_up
from .asm import I32, Function, function
from .emitter import MINE, PART, PARTS, STEP, Affine, Argument, Emitter, affine

# Pieces of work from which on the threads of a phone or a laptop get nearly equal shares. Chosen by
# trial.
MANY = 16


@contextmanager
def share(e: Emitter, count: Argument, unit: int = 1, mirrored: bool = False
          ) -> Iterator[tuple[Affine, Affine]]:
    """Cuts 0..count into one share for each thread, at multiples of `unit`. Gives (first, how
    many) of this thread's share.

    `mirrored` hands out shares in reverse thread order, so that two shares in a row balance their
    remainders. Inside another share everything belongs to the calling thread; only there may
    `count` be a number that the step computes.
    """
    if e.sharing:
        yield Affine(), affine(count)
        return
    assert isinstance(count, int), "threads share what is known at build"
    e.pieces = max(e.pieces, -(-count // unit))
    f, edge = e.step, e.kernel(("share",), _edge)
    first, many = f.many(2, I32)
    for place, local in ((int(mirrored), first), (1 - mirrored, many)):
        f.i32(count).i32(unit)
        if mirrored:
            f.get(PARTS, PART).op("i32.sub").i32(place).op("i32.sub")
        else:
            f.get(PART).i32(place).op("i32.add")
        f.get(PARTS).call(edge).set(local)
    f.get(many, first).op("i32.sub").tee(many)
    with f.if_():
        e.sharing = "share"
        yield Affine(0, ((first, 1),)), Affine(0, ((many, 1),))
        e.sharing = ""


def _edge() -> Function:
    """The function share(count, unit, part, parts): the first element of thread `part`'s share."""
    f, p = function("share", "count unit part parts")
    f.result = I32
    f.get(p.count, p.unit).op("i32.add").i32(1).op("i32.sub").get(p.unit).op("i32.div_u")
    f.get(p.part).op("i32.mul").get(p.parts).op("i32.div_u").get(p.unit).op("i32.mul")
    f.tee(p.unit).get(p.count).get(p.unit, p.count).op("i32.lt_u", "select")
    return f


def sync(e: Emitter) -> None:
    """All threads wait here for each other: inside loops by a call of the barrier, elsewhere by
    ending a phase. Inside `alone` there is nothing to wait for."""
    assert e.sharing != "share", "a thread whose share is empty would never arrive"
    if e.sharing:
        return
    if e.loops:
        e.step.get(PARTS).call(meet(e))
    else:
        e.cut()


def meet(e: Emitter) -> Function:
    """The function meet(parts): calls the barrier if there is more than one thread."""
    return e.kernel(("meet",), lambda: _meet(e))


def _meet(e: Emitter) -> Function:
    f, p = function("meet", "parts")
    f.get(p.parts).i32(1).op("i32.gt_u")
    with f.if_():
        f.get(p.parts).call(e.barrier)
    return f


def in_turn(e: Emitter, name: str, phases: Sequence[Function],
            export: bool = False) -> Function:
    """The function name(part, parts, own): runs `phases` with a barrier between each two."""
    barrier, f = meet(e), Function(name, [I32] * len(STEP))
    call_in_turn(f, phases, barrier)
    return e.module.add(f, export)


def call_in_turn(f: Function, phases: Sequence[Function], barrier: Function) -> None:
    """Lets `f`, a function with the parameters STEP, call `phases` with `barrier` between."""
    for i, phase in enumerate(phases):
        if i:
            f.get(PARTS).call(barrier)
        f.get(*STEP).call(phase)


def own(e: Emitter, scratch: int, elements: int) -> Affine:
    """The byte address of `elements` f32 elements that belong to the calling thread. They lie
    beyond the heap, or in the step's `scratch` where a thread runs alone."""
    e.mine = max(e.mine, 4 * round_up(elements + SLACK, ALIGN))
    at = e.step.local()
    e.step.get(MINE).i32(4 * scratch).get(MINE).op("select").set(at)
    return Affine(0, ((at, 1),))


@contextmanager
def runs(e: Emitter, first: Affine, count: Affine, most: int) -> Iterator[tuple[Affine, Affine]]:
    """A loop over first..first + count in runs of `most`, the last one shorter: (start, length)."""
    with _walk(e, first, count) as (at, many):
        _bound(e.step, many, Affine(most))
        yield Affine(0, ((at, 1),)), Affine(0, ((many, 1),))


@contextmanager
def strips(e: Emitter, first: Affine, count: Affine, length: int, most: int
           ) -> Iterator[tuple[Affine, Affine, Affine]]:
    """A loop over rows first..first + count, counted through images of `length` rows each, in runs
    of at most `most` rows of one image: (image, first row, number of rows)."""
    with _walk(e, first, count) as (at, many):
        image, row = divide(e, Affine(0, ((at, 1),)), length)
        for limit in (row * -1 + length, Affine(most)):
            _bound(e.step, many, limit)
        yield image, row, Affine(0, ((many, 1),))


@contextmanager
def _walk(e: Emitter, first: Affine, count: Affine) -> Iterator[tuple[int, int]]:
    """A loop over first..first + count. Gives two locals: the position, and the length of the next
    run, which is the whole rest until the body lowers it."""
    f = e.step
    at, end, many = f.many(3, I32)
    first.push(f)
    f.tee(at)
    count.push(f)
    f.op("i32.add").set(end)
    with f.loop():
        f.get(end, at).op("i32.sub").set(many)
        yield at, many
        f.get(at, many).op("i32.add").tee(at).get(end).op("i32.lt_u").br_if(0)


def _bound(f: Function, local: int, limit: Affine) -> None:
    """local = min(local, limit)"""
    for _ in range(2):
        f.get(local)
        limit.push(f)
    f.op("i32.lt_u", "select").set(local)


def divide(e: Emitter, n: Affine, by: int) -> tuple[Affine, Affine]:
    """(quotient, remainder) of `n` / `by`."""
    if not n.terms:
        return Affine(n.base // by), Affine(n.base % by)
    f = e.step
    whole, quotient, rest = f.many(3, I32)
    n.push(f)
    f.tee(whole).i32(by).op("i32.div_u").set(quotient)
    f.get(whole).i32(by).op("i32.rem_u").set(rest)
    return Affine(0, ((quotient, 1),)), Affine(0, ((rest, 1),))
