"""The buffer, and the place in it, of every value of a WebGPU program.

Constants share large buffers, at offsets that bindings allow. Every other value has a buffer to
itself while it lives, because one dispatch must not read and write the same buffer. Then the next
value takes the buffer over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...emit.wgsl.shader import MAX_BINDING, Slice

OFFSET_ALIGN = 256  # minStorageBufferOffsetAlignment


@dataclass(frozen=True, slots=True)
class Binding:
    """The bytes from `offset` to `offset + size` of a buffer, as a shader binds them."""

    buffer: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Life:
    """A value of `size` bytes. Dispatch `first` makes it or reads it first; dispatch `last` reads
    it last."""

    size: int
    first: int
    last: int


def padded(size: int) -> int:
    """`size` in bytes, rounded up to whole vec4f."""
    return -(-max(size, 1) // 16) * 16


def place_constants(wanted: Iterable[tuple[str | Slice, int]], first_buffer: int = 0) -> tuple[
        dict[str | Slice, Binding], list[int]]:
    """((constant -> its place), the buffers' sizes). Buffers are numbered from `first_buffer` on.

    No constant exceeds a binding.
    """
    places: dict[str | Slice, Binding] = {}
    sizes: list[int] = []
    for name, size in wanted:
        start = -(-sizes[-1] // OFFSET_ALIGN) * OFFSET_ALIGN if sizes else MAX_BINDING
        if start + size > MAX_BINDING:
            sizes.append(0)
            start = 0
        places[name] = Binding(first_buffer + len(sizes) - 1, start, size)
        sizes[-1] = start + size
    return places, sizes


def place_values(lives: Mapping[str, Life], first_buffer: int) -> tuple[
        dict[str, Binding], list[int]]:
    """((value -> its place), the buffers' sizes). Buffers are numbered from `first_buffer` on.

    A value takes the free buffer that fits most tightly, or else the largest free buffer, which
    then grows.
    """
    sizes, busy_until = np.zeros((2, len(lives)), np.int64)
    count = 0
    places: dict[str, Binding] = {}
    for name, life in sorted(lives.items(), key=lambda item: item[1].first):
        free = np.flatnonzero(busy_until[:count] < life.first)
        fitting = free[sizes[free] >= life.size]
        if fitting.size:
            slot = int(fitting[np.argmin(sizes[fitting])])
        elif free.size:
            slot = int(free[np.argmax(sizes[free])])
        else:
            slot = count
            count += 1
        sizes[slot] = max(sizes[slot], life.size)
        busy_until[slot] = life.last
        places[name] = Binding(first_buffer + slot, 0, life.size)
    return places, sizes[:count].tolist()


def lifetimes(inputs: Sequence[tuple[str, int]], outputs: Sequence[str],
              touches: Sequence[Mapping[str, int]]) -> dict[str, Life]:
    """One Life per value. `touches`: for each dispatch, value -> bytes, of all values that it reads
    or writes."""
    lives = {name: Life(padded(size), -1, -1) for name, size in inputs}
    for i, names in enumerate(touches):
        for name, size in names.items():
            old = lives.get(name)
            lives[name] = Life(padded(size), old.first if old else i, i)
    for name in outputs:
        if name in lives:
            lives[name] = Life(lives[name].size, lives[name].first, len(touches))
    return lives
