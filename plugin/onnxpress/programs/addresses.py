"""The addresses of all tensors of a program in one heap: constants first, then one arena.

Tensors in the arena share memory by lifetime.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ..emit.layout import ALIGN, SLACK, LinearPlan, Packing, Step, Tensor, Weight, round_up
from ..graph.storage import ELEMENT_BYTES
from ..weights.encodings import most_scales
from .unplaced import Unplaced


@dataclass(frozen=True, slots=True)
class Life:
    """A buffer of `size` f32 elements, in use from step `first` to step `last`."""

    size: int
    first: int
    last: int


def with_addresses(unplaced: Unplaced, target: str) -> LinearPlan:
    """The plan of these steps, with an address for every tensor and every scratch memory."""
    graph = unplaced.graph
    for name in graph.outputs:
        if name in graph.constants:
            unplaced.packed_constant(name, None)
    bases: dict[str, int] = {}
    weights, staging = [], 0
    for (constant, packing), name in unplaced.packed.items():
        bases[name] = staging
        weights.append(Weight(constant, packing, staging))
        staging = round_up(staging + packing.elements + SLACK, ALIGN)
    lives, scratch = _tensor_lives(unplaced), _scratch_lives(unplaced)
    offsets = [staging + at for at in _allocate([*lives.values(), *scratch.values()])]
    bases |= zip(lives, offsets, strict=False)
    rooms = dict(zip(scratch, offsets[len(lives):], strict=True))
    ends = [at + life.size for at, life in
            zip(offsets, (*lives.values(), *scratch.values()), strict=True)]
    loaded = [staging + staged(graph.shape(w.constant), w.packing) for w in weights]

    def final(names: Iterable[str]) -> tuple[Tensor, ...]:
        return tuple(_tensor_at(unplaced, name, bases) for name in names)

    steps = tuple(Step(s.node, final(s.inputs), final(s.outputs), rooms.get(i, 0), s.need.scratch)
                  for i, s in enumerate(unplaced.steps))
    return LinearPlan(target, steps, tuple(weights), final(graph.inputs), final(graph.outputs),
                      staging, round_up(max(staging, *ends, *loaded) + SLACK, ALIGN))


def _tensor_at(unplaced: Unplaced, name: str, bases: Mapping[str, int]) -> Tensor:
    """The tensor at its address, by the bases of all roots. An alias has its own shape and strides
    in the memory of its root."""
    if name in unplaced.graph.constants:
        name = unplaced.packed_constant(name, None)
    t, root = unplaced.tensors[name], unplaced.tensors[unplaced.root[name]]
    base = bases[root.name]
    per_word = ELEMENT_BYTES["f32"] // root.storage.bytes  # offsets count the tensor's own elements
    return replace(t, base=base, offset=root.offset + base * per_word + unplaced.start[name])


def _tensor_lives(unplaced: Unplaced) -> dict[str, Life]:
    """Root -> its life in the arena. Inputs live from before the first step on, and outputs until
    after the last one."""
    lives: dict[str, Life] = {}
    constants = set(unplaced.packed.values())

    def touch(name: str, step: int) -> None:
        name = unplaced.root[name]
        if name not in constants:
            size = round_up(unplaced.tensors[name].size + SLACK, ALIGN)
            old = lives.get(name, Life(size, step, step))
            lives[name] = Life(size, old.first, step)

    for name in unplaced.graph.inputs:
        touch(name, -1)
    for i, step in enumerate(unplaced.steps):
        for name in (*step.inputs, *step.outputs):
            touch(name, i)
    for name in unplaced.graph.outputs:
        if name not in unplaced.graph.constants:
            touch(name, len(unplaced.steps))
    return lives


def _scratch_lives(unplaced: Unplaced) -> dict[int, Life]:
    """Step -> the life of its scratch memory, for the steps that want some."""
    return {i: Life(round_up(step.need.scratch + SLACK, ALIGN), i, i)
            for i, step in enumerate(unplaced.steps) if step.need.scratch}


def staged(shape: tuple[int, ...], packing: Packing) -> int:
    """The f32 elements that a constant takes in the heap while it is loaded: its scales, and its
    numbers if they are to be packed."""
    return most_scales(shape) + (packing.kind != "raw") * prod(shape)


def _allocate(lives: Sequence[Life]) -> list[int]:
    """An offset for each buffer, in f32 elements. Buffers that live at the same time never overlap.

    The largest buffers are placed first, each at the lowest free offset.

    Source: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020,
    algorithm 3.
    """
    order = sorted(range(len(lives)), key=lambda k: (-lives[k].size, lives[k].first, k))
    size, first, last = np.array(
        [(lives[k].size, lives[k].first, lives[k].last) for k in order], np.int64).reshape(-1, 3).T
    at = np.zeros(len(order), np.int64)  # in this order
    for i in range(len(order)):
        busy = np.flatnonzero((first[:i] <= last[i]) & (first[i] <= last[:i]))
        busy = busy[np.argsort(at[busy])]
        ends = np.maximum.accumulate(np.append(0, at[busy] + size[busy]))  # where each gap begins
        roomy = np.append(ends[:-1] + size[i] <= at[busy], True)
        at[i] = ends[np.argmax(roomy)]
    offsets = [0] * len(order)
    for k, offset in zip(order, at.tolist(), strict=True):
        offsets[k] = offset
    return offsets
