"""Loop nests over strided operands: their shape, and calls of a function for each index."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ...graph.graph import Shape
from ..layout import ALIGN, Tensor
from ..loops import broadcast_strides, collapse
from .asm import Function
from .emitter import Affine, Emitter, affine
from .share import MANY, share


@dataclass(frozen=True, slots=True)
class View:
    """An operand of a nest: its first element in the heap, its stride along each axis."""

    offset: int
    strides: Shape


def view(t: "Tensor", shape: Shape) -> View:
    """The tensor broadcast to `shape`."""
    return View(t.offset, broadcast_strides(t.shape, t.strides, shape))


def padded_shape(t: "Tensor") -> Shape:
    """The tensor's shape with the padding lanes of its pixels, as far as they fill a vector.
    Writing them spares a run its tail and joins pixels to rows."""
    if len(t.shape) != 4:
        return t.shape
    channels = -(-t.shape[3] // 4) * 4
    return (*t.shape[:3], channels if t.strides[2] >= channels else t.shape[3])


@dataclass(frozen=True, slots=True)
class Nest:
    """Axes from outer to inner. strides[operand][axis] and `offsets` count elements; operand 0 is
    the output."""

    lengths: "tuple[int | Affine, ...]"
    strides: tuple[Shape, ...]
    offsets: "tuple[int | Affine, ...]"

    def steps(self, axis: int) -> list[int]:
        """The operands' strides along an axis, in bytes."""
        return [4 * s[axis] for s in self.strides]

    def ordered(self, axes: Sequence[int]) -> "Nest":
        """The nest of these axes only, in this order."""
        return Nest(tuple(self.lengths[a] for a in axes),
                    tuple(tuple(s[a] for a in axes) for s in self.strides), self.offsets)

    def blocks(self, axis: int, block: int) -> list["Nest"]:
        """The nest cut along `axis`: whole blocks under an axis that counts them, then the
        remainder under one of length 1."""
        whole, rest = divmod(self.lengths[axis], block)
        before, after = self.lengths[:axis], self.lengths[axis + 1:]
        parts = []
        if whole:
            strides = tuple((*s[:axis], s[axis] * block, *s[axis:]) for s in self.strides)
            parts.append(Nest((*before, whole, block, *after), strides, self.offsets))
        if rest:
            strides = tuple((*s[:axis], 0, *s[axis:]) for s in self.strides)
            offsets = tuple(o + s[axis] * block * whole
                            for o, s in zip(self.offsets, self.strides, strict=True))
            parts.append(Nest((*before, 1, rest, *after), strides, offsets))
        return parts


def lane_nest(shape: Shape, views: Sequence[View]) -> Nest:
    """The collapsed nest, of at least two axes. Along the innermost, the lanes, every operand
    steps by 1 or stays; if no axis is like that, it has length 1."""
    lengths, strides = collapse(shape, [v.strides for v in views])
    if not lengths or any(s[-1] not in (0, 1) for s in strides):
        lengths, strides = (*lengths, 1), [(*s, 1) for s in strides]
    if len(lengths) == 1:
        lengths, strides = (1, *lengths), [(0, *s) for s in strides]
    return Nest(lengths, tuple(strides), tuple(v.offset for v in views))


@contextmanager
def share_nest(e: Emitter, nest: Nest, lane: int = ALIGN) -> Iterator[Nest]:
    """A thread's share of the nest: cut along the outermost axis of the output that gives enough
    pieces, or else the most; one thread does a nest without such an axis. The innermost axis is cut
    in multiples of `lane` only."""
    units = [1] * (len(nest.lengths) - 1) + [lane]
    pieces = [-(-n // unit) if s else 0
              for n, unit, s in zip(nest.lengths, units, nest.strides[0], strict=True)]
    if not any(pieces):
        with e.alone():
            yield nest
        return
    axis = max(range(len(pieces)), key=lambda a: (min(pieces[a], MANY), -a))
    with share(e, nest.lengths[axis], units[axis]) as (first, count):
        yield replace(
            nest, lengths=(*nest.lengths[:axis], count, *nest.lengths[axis + 1:]),
            offsets=tuple(first * s[axis] + o
                          for o, s in zip(nest.offsets, nest.strides, strict=True)),
        )


def call_nest(e: Emitter, function: Function, nest: Nest, args: Sequence[int]) -> None:
    """Calls `function`(*addresses, *args) in the current step for each index of the nest."""
    with ExitStack() as stack:
        counters = [stack.enter_context(e.times(n)) for n in nest.lengths]
        addresses = [
            sum((i * (4 * s) for i, s in zip(counters, strides, strict=True) if s), affine(4 * o))
            for o, strides in zip(nest.offsets, nest.strides, strict=True)
        ]
        e.call(function, *addresses, *args)
