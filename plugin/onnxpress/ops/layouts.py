"""Attributes for operands that are stored with their axes in another order (`Op.follows`).

Axis `a` of a value is axis perm[a] of the stored array.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from ..graph.graph import Attrs
from .attrs import AlongAxes, AlongAxis

Perm = tuple[int, ...]
A = TypeVar("A", bound=Attrs)
One = TypeVar("One", bound=AlongAxis)
Several = TypeVar("Several", bound=AlongAxes)


def unpermute(items: Sequence[int], perm: Perm) -> tuple[int, ...]:
    """Item perm[i] of the result is items[i]; undoes `passes.axes.permute`."""
    out = [0] * len(perm)
    for i, p in enumerate(perm):
        out[p] = items[i]
    return tuple(out)


def unchanged(attrs: A, perm: Perm) -> A:
    """No attribute names an axis."""
    return attrs


def rename_axis(attrs: One, perm: Perm) -> One:
    """`axis` becomes the axis of the stored array."""
    return replace(attrs, axis=perm[attrs.axis])


def rename_axes(attrs: Several, perm: Perm) -> Several:
    """`axes` become the axes of the stored array, in ascending order."""
    return replace(attrs, axes=tuple(sorted(perm[a] for a in attrs.axes)))
