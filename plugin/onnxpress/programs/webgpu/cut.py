"""Long work in pieces: browsers reset a GPU that is busy for some seconds, and pages wait for it.

WebGPU's workgroups count from zero, so a piece of a dispatch has the number of its first one in its
text. Pieces differ in numbers only and share a shader (wgsl_share.py); programs without long work
have none.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from math import ceil, prod

from ...emit.wgsl.shader import MAX_GROUPS, Dispatch

PLACE = re.compile(r"\bgroup\.x \+ group\.y \* \d+u")


def cut(dispatches: Sequence[Dispatch], operations: int, most: int) -> list[Dispatch]:
    """The dispatches of one step, which takes `operations`, none of more than `most`: operations,
    or one workgroup. Where kernels do not say what each takes, all take the same."""
    if not any(d.operations for d in dispatches):
        dispatches = [replace(d, operations=operations // len(dispatches)) for d in dispatches]
    return [piece for d in dispatches for piece in _pieces(d, most)]


def submits(operations: Sequence[int], most: int) -> list[int]:
    """Where each command buffer ends: before the dispatch that would take it beyond `most`."""
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
    groups = prod(dispatch.workgroups)  # those that a fold adds return at once
    held = min(max(1, groups * most // dispatch.operations), MAX_GROUPS)
    held = ceil(groups / ceil(groups / held))
    return [_range(dispatch, first, min(first + held, groups), groups)
            for first in range(0, groups, held)]


def _range(dispatch: Dispatch, first: int, end: int, groups: int) -> Dispatch:
    """Workgroups `first` to `end` of the `groups` of `dispatch`."""
    text, found = PLACE.subn(f"group.x + {first}u", dispatch.shader)
    if not found:
        raise AssertionError(f"no workgroup's number in {dispatch.shader}")
    return replace(dispatch, shader=text, workgroups=(end - first, 1),
                   operations=ceil(dispatch.operations * (end - first) / groups))
