"""Loop nests over strided operands, and calls of a function for each index of a nest."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...graph.graph import Shape
from ..layout import ALIGN, Tensor
from ..loops import broadcast_strides, collapse
from .asm import Function
from .emitter import Argument, Emitter, affine
from .share import MANY, share


@dataclass(frozen=True, slots=True)
class View:
    """An operand of a nest: the heap index of its first element, and its stride along each axis, in
    f32 elements."""

    offset: int
    strides: Shape


def view(t: Tensor, shape: Shape) -> View:
    """The tensor, broadcast to `shape`."""
    return View(t.offset, broadcast_strides(t.shape, t.strides, shape))


def padded_shape(t: Tensor) -> Shape:
    """The tensor's shape with C rounded up to vectors of 4, where its pixels have that padding.
    A kernel that writes the padding needs no code for a run's tail, and can treat the pixels of a
    row as one run."""
    if len(t.shape) != 4:
        return t.shape
    channels = -(-t.shape[3] // 4) * 4
    return (*t.shape[:3], channels if t.strides[2] >= channels else t.shape[3])


# int: all is known at build. Argument: a thread's share, whose length the step computes.
Length = TypeVar("Length", bound=Argument, covariant=True)


@dataclass(frozen=True)
class Nest(Generic[Length]):
    """Axes from outer to inner. `strides[operand][axis]` and `offsets[operand]` count f32
    elements; operand 0 is the output."""

    lengths: tuple[Length, ...]
    strides: tuple[Shape, ...]
    offsets: tuple[Length, ...]

    def steps(self, axis: int) -> list[int]:
        """Each operand's stride along `axis`, in bytes."""
        return [4 * s[axis] for s in self.strides]

    def ordered(self, axes: Sequence[int]) -> "Nest[Length]":
        """The nest of these axes only, in this order."""
        return Nest(tuple(self.lengths[a] for a in axes),
                    tuple(tuple(s[a] for a in axes) for s in self.strides), self.offsets)


def blocks(nest: Nest[int], axis: int, block: int) -> list[Nest[int]]:
    """The nest cut along `axis` into blocks: one nest with a new axis that counts the whole blocks,
    then one for the remainder, with a new axis of length 1."""
    whole, rest = divmod(nest.lengths[axis], block)
    before, after = nest.lengths[:axis], nest.lengths[axis + 1:]
    parts = []
    if whole:
        strides = tuple((*s[:axis], s[axis] * block, *s[axis:]) for s in nest.strides)
        parts.append(Nest((*before, whole, block, *after), strides, nest.offsets))
    if rest:
        strides = tuple((*s[:axis], 0, *s[axis:]) for s in nest.strides)
        offsets = tuple(o + s[axis] * block * whole
                        for o, s in zip(nest.offsets, nest.strides, strict=True))
        parts.append(Nest((*before, 1, rest, *after), strides, offsets))
    return parts


def lane_nest(shape: Shape, views: Sequence[View]) -> Nest[int]:
    """The collapsed nest, with at least two axes. Vectors run along the innermost axis: every
    operand steps by 1 there, or stays. If no axis is like that, an axis of length 1 is added."""
    lengths, strides = collapse(shape, [v.strides for v in views])
    if not lengths or any(s[-1] not in (0, 1) for s in strides):
        lengths, strides = (*lengths, 1), [(*s, 1) for s in strides]
    if len(lengths) == 1:
        lengths, strides = (1, *lengths), [(0, *s) for s in strides]
    return Nest(lengths, tuple(strides), tuple(v.offset for v in views))


@contextmanager
def share_nest(e: Emitter, nest: Nest[int], lane: int = ALIGN) -> Iterator[Nest[Argument]]:
    """A thread's share of the nest. The cut runs along the outermost axis of the output with at
    least MANY pieces, or else along the axis with the most. The innermost axis is cut at multiples
    of `lane`. Where the output has no axis, the first thread does the whole nest."""
    units = [1] * (len(nest.lengths) - 1) + [lane]
    pieces = [-(-n // unit) if s else 0
              for n, unit, s in zip(nest.lengths, units, nest.strides[0], strict=True)]
    if not any(pieces):
        with e.alone():
            yield nest
        return
    axis = max(range(len(pieces)), key=lambda a: (min(pieces[a], MANY), -a))
    with share(e, nest.lengths[axis], units[axis]) as (first, count):
        yield Nest((*nest.lengths[:axis], count, *nest.lengths[axis + 1:]), nest.strides,
                   tuple(first * s[axis] + o
                         for o, s in zip(nest.offsets, nest.strides, strict=True)))


def call_nest(e: Emitter, function: Function, nest: Nest[Argument], args: Sequence[Argument]
              ) -> None:
    """Calls function(*addresses, *args) in the current step for each index of the nest; addresses
    are the operands', in bytes."""
    with ExitStack() as stack:
        counters = [stack.enter_context(e.times(n)) for n in nest.lengths]
        addresses = [
            sum((i * (4 * s) for i, s in zip(counters, strides, strict=True) if s), affine(4 * o))
            for o, strides in zip(nest.offsets, nest.strides, strict=True)
        ]
        e.call(function, *addresses, *args)
