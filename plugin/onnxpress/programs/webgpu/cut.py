"""Long work in pieces, because browsers reset a GPU that is busy for some seconds, and pages wait
for it.

WebGPU counts workgroups from zero, so the text of a piece holds the number of its first workgroup.
Pieces differ in numbers only and share a shader (programs/webgpu/merge.py). Programs without long
work have no pieces.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from math import ceil, prod

from ...emit.wgsl.shader import MAX_GROUPS, Dispatch

PLACE = re.compile(r"\bgroup\.x \+ group\.y \* \d+u")


def cut(dispatches: Sequence[Dispatch], operations: int, most: int) -> list[Dispatch]:
    """The dispatches of one step that takes `operations`, each of at most `most` operations or one
    workgroup.

    If kernels do not say how many operations a dispatch takes, all take the same.
    """
    if not any(d.operations for d in dispatches):
        dispatches = [replace(d, operations=operations // len(dispatches)) for d in dispatches]
    return [piece for d in dispatches for piece in _pieces(d, most)]


def submits(operations: Sequence[int], most: int) -> list[int]:
    """The last dispatch of each command buffer; one more would take the buffer beyond `most`
    operations."""
    ends, load = [], 0
    for i, own in enumerate(operations):
        if load and load + own > most:
            ends.append(i)
            load = 0
        load += own
    return [*ends, len(operations)]


def _pieces(dispatch: Dispatch, most: int) -> list[Dispatch]:
    if dispatch.operations <= most or dispatch.once:
        return [dispatch]
    groups = prod(dispatch.workgroups)  # extra workgroups from a fold return at once
    held = min(max(1, groups * most // dispatch.operations), MAX_GROUPS)
    held = ceil(groups / ceil(groups / held))
    return [_range(dispatch, first, min(first + held, groups), groups)
            for first in range(0, groups, held)]


def _range(dispatch: Dispatch, first: int, end: int, groups: int) -> Dispatch:
    """A dispatch of the workgroups `first` to `end` of the `groups` of `dispatch`."""
    text, found = PLACE.subn(f"group.x + {first}u", dispatch.shader)
    if not found:
        raise AssertionError(f"no workgroup's number in {dispatch.shader}")
    return replace(dispatch, shader=text, workgroups=(end - first, 1),
                   operations=ceil(dispatch.operations * (end - first) / groups))
