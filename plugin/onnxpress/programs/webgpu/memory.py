"""Which buffer, and where in it, every value of a WebGPU program lies.

Constants share large buffers at the offsets that bindings allow. Every other value has a buffer
for itself while it lives (a buffer must not be read and written in one dispatch), and the next
value takes it over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...emit.wgsl.shader import MAX_BINDING, Slice

OFFSET_ALIGN = 256  # minStorageBufferOffsetAlignment


@dataclass(frozen=True, slots=True)
class Place:
    """A binding: bytes `offset`..`offset + size` of a buffer."""

    buffer: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Life:
    """A value of `size` bytes is made or first read in dispatch `first`, last read in `last`."""

    size: int
    first: int
    last: int


def padded(size: int) -> int:
    """Bytes, so that the last vec4f is whole."""
    return -(-max(size, 1) // 16) * 16


def place_constants(wanted: Iterable[tuple[str | Slice, int]], first_buffer: int = 0) -> tuple[
        dict[str | Slice, Place], list[int]]:
    """(constant, bytes) -> its place, and the buffers' sizes; numbers begin at `first_buffer`. No
    constant exceeds a binding."""
    places: dict[str | Slice, Place] = {}
    sizes: list[int] = []
    for name, size in wanted:
        start = -(-sizes[-1] // OFFSET_ALIGN) * OFFSET_ALIGN if sizes else MAX_BINDING
        if start + size > MAX_BINDING:
            sizes.append(0)
            start = 0
        places[name] = Place(first_buffer + len(sizes) - 1, start, size)
        sizes[-1] = start + size
    return places, sizes


def place_values(lives: Mapping[str, Life], first_buffer: int) -> tuple[
        dict[str, Place], list[int]]:
    """Value -> its place, and the buffers' sizes; numbers begin at `first_buffer`. A value takes
    the free buffer that fits tightest, or the largest free one, which then grows."""
    sizes: list[int] = []
    busy_until: list[int] = []
    places: dict[str, Place] = {}
    for name, life in sorted(lives.items(), key=lambda item: item[1].first):
        free = [i for i, last in enumerate(busy_until) if last < life.first]
        fitting = [i for i in free if sizes[i] >= life.size]
        if fitting:
            slot = min(fitting, key=lambda i: sizes[i])
        elif free:
            slot = max(free, key=lambda i: sizes[i])
        else:
            slot = len(sizes)
            sizes.append(0)
            busy_until.append(0)
        sizes[slot] = max(sizes[slot], life.size)
        busy_until[slot] = life.last
        places[name] = Place(first_buffer + slot, 0, life.size)
    return places, sizes


def lifetimes(inputs: Sequence[tuple[str, int]], outputs: Sequence[str],
              touches: Sequence[Mapping[str, int]]) -> dict[str, Life]:
    """`touches`: for each dispatch, value -> bytes of all that it reads or writes."""
    lives = {name: Life(padded(size), -1, -1) for name, size in inputs}
    for i, names in enumerate(touches):
        for name, size in names.items():
            old = lives.get(name)
            lives[name] = Life(padded(size), old.first if old else i, i)
    for name in outputs:
        if name in lives:
            lives[name] = Life(lives[name].size, lives[name].first, len(touches))
    return lives
