"""Permutations of axes. A `perm` is numpy.transpose's: axis i of the result is axis perm[i]."""

from collections.abc import Sequence
from math import prod

from ..ops.layouts import Perm, unpermute


def identity(rank: int) -> Perm:
    """The permutation that changes nothing."""
    return tuple(range(rank))


def permute(items: Sequence[int], perm: Perm) -> tuple[int, ...]:
    """The shape of a transposed tensor: item i of the result is items[perm[i]]."""
    return tuple(items[p] for p in perm)


def between(have: Perm, want: Perm) -> Perm:
    """The perm with transpose(s, perm) = w, where transpose(s, have) = transpose(w, want)."""
    return unpermute(have, want)


def is_view(shape: Sequence[int], perm: Perm) -> bool:
    """Whether transposing keeps the order of the elements, since only axes of length 1 move."""
    long = [p for p in perm if shape[p] != 1]
    return long == sorted(long)


def regroup(before: Sequence[int], after: Sequence[int]) -> list[tuple[Perm, Perm]]:
    """The finest split of a reshape into independent ones, as pairs (axes before, axes after).

    For example, [2, 3, 4] -> [6, 2, 2] is [((0, 1), (0,)), ((2,), (1, 2))]. `axes before` lists no
    axis of length 1. In `axes after` such an axis belongs to the group of the axis before it, and
    to no group if there is none.
    """
    ins = [i for i, n in enumerate(before) if n != 1]
    outs = [i for i, n in enumerate(after) if n != 1]
    groups: list[tuple[Perm, Perm]] = []
    i = o = 0
    while i < len(ins):
        first_in, first_out = i, o
        i, o = i + 1, o + 1
        have, got = before[ins[first_in]], after[outs[first_out]]
        while have != got:
            if have < got:
                have *= before[ins[i]]
                i += 1
            else:
                got *= after[outs[o]]
                o += 1
        end = outs[o] if o < len(outs) else len(after)
        groups.append((tuple(ins[first_in:i]), tuple(range(outs[first_out], end))))
    assert prod(before) == prod(after)
    return groups
