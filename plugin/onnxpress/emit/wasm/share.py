"""How the threads of a run share a step.

All threads run all steps, each on its share of the rows (or columns, channels, tiles) of every
phase. What a thread computes is what one thread alone would, in the same order, so the bits are the
same for any number of threads; a thread without a share goes on to the next barrier.

Between a phase that writes and one that reads, or writes, the same memory by other shares stands
`sync`; phases are functions of their own, which threads that share no memory go through one by one.
What is emitted outside of `share` is done by the first thread alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..layout import ALIGN, SLACK, round_up
from .asm import I32, Function, function
from .emitter import MINE, PART, PARTS, STEP, Affine, Emitter, affine

MANY = 16  # pieces that so many threads as phones and laptops have share evenly enough


@contextmanager
def share(e: Emitter, count: "Affine | int", unit: int = 1, mirrored: bool = False
          ) -> Iterator[tuple[Affine, Affine]]:
    """(first, how many) of `count` are this thread's, in whole units but for the last. `mirrored`
    gives the last thread the first ones: where a second share follows a first without a barrier,
    that evens out what is left over. Inside another share it is all of them."""
    if e.sharing:
        yield Affine(), affine(count)
        return
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
    """share(count, unit, part, parts): where the share of `part` begins."""
    f, p = function("share", "count unit part parts")
    f.result = I32
    f.get(p.count, p.unit).op("i32.add").i32(1).op("i32.sub").get(p.unit).op("i32.div_u")
    f.get(p.part).op("i32.mul").get(p.parts).op("i32.div_u").get(p.unit).op("i32.mul")
    f.tee(p.unit).get(p.count).get(p.unit, p.count).op("i32.lt_u", "select")
    return f


def sync(e: Emitter) -> None:
    """All threads wait here for each other. One that works alone goes on. Outside of loops it ends
    a phase of the step."""
    assert e.sharing != "share", "a thread without a share would not come"
    if e.sharing:
        return
    if e.loops:
        e.step.get(PARTS).call(meet(e))
    else:
        e.cut()


def meet(e: Emitter) -> Function:
    """meet(parts): the barrier, where there is more than one thread."""
    return e.kernel(("meet",), lambda: _meet(e))


def _meet(e: Emitter) -> Function:
    f, p = function("meet", "parts")
    f.get(p.parts).i32(1).op("i32.gt_u")
    with f.if_():
        f.get(p.parts).call(e.barrier)
    return f


def in_turn(e: Emitter, name: str, phases: Sequence[Function],
            export: bool = False) -> Function:
    """name(part, parts, own): these phases, with a barrier between."""
    barrier, f = meet(e), Function(name, [I32] * len(STEP))
    call_in_turn(f, phases, barrier)
    return e.module.add(f, export)


def call_in_turn(f: Function, phases: Sequence[Function], barrier: Function) -> None:
    """`f`, a function of STEP, calls each of them, with the barrier between."""
    for i, phase in enumerate(phases):
        if i:
            f.get(PARTS).call(barrier)
        f.get(*STEP).call(phase)


def own(e: Emitter, scratch: int, elements: int) -> Affine:
    """The byte address of so many elements for each thread: beyond the heap, where they stay in the
    thread's own cache, or the step's `scratch` for one that runs alone."""
    e.mine = max(e.mine, 4 * round_up(elements + SLACK, ALIGN))
    at = e.step.local()
    e.step.get(MINE).i32(4 * scratch).get(MINE).op("select").set(at)
    return Affine(0, ((at, 1),))


@contextmanager
def runs(e: Emitter, first: Affine, count: Affine, most: int) -> Iterator[tuple[Affine, Affine]]:
    """A loop over first..first + count in runs of `most` and what is left: (start, length)."""
    with _walk(e, first, count) as (at, many):
        _bound(e.step, many, Affine(most))
        yield Affine(0, ((at, 1),)), Affine(0, ((many, 1),))


@contextmanager
def strips(e: Emitter, first: Affine, count: Affine, length: int, most: int
           ) -> Iterator[tuple[Affine, Affine, Affine]]:
    """A loop over first..first + count of the rows of images of `length` rows each, in runs of
    `most` and what an image or the count leaves: (image, row, how many)."""
    with _walk(e, first, count) as (at, many):
        image, row = divide(e, Affine(0, ((at, 1),)), length)
        for limit in (row * -1 + length, Affine(most)):
            _bound(e.step, many, limit)
        yield image, row, Affine(0, ((many, 1),))


@contextmanager
def _walk(e: Emitter, first: Affine, count: Affine) -> Iterator[tuple[int, int]]:
    """A loop over first..first + count: the locals that hold where it stands and how far it goes
    next, all that is left where nothing bounds it."""
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
    """The local is at most `limit`."""
    for _ in range(2):
        f.get(local)
        limit.push(f)
    f.op("i32.lt_u", "select").set(local)


def divide(e: Emitter, n: Affine, by: int) -> tuple[Affine, Affine]:
    """Quotient and remainder."""
    if not n.terms:
        return tuple(map(Affine, divmod(n.base, by)))
    f = e.step
    whole, quotient, rest = f.many(3, I32)
    n.push(f)
    f.tee(whole).i32(by).op("i32.div_u").set(quotient)
    f.get(whole).i32(by).op("i32.rem_u").set(rest)
    return Affine(0, ((quotient, 1),)), Affine(0, ((rest, 1),))
