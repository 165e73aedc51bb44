"""How many threads a program is worth: the plan's cost model."""

from collections.abc import Iterator, Sequence
from math import prod

from ..layout import LinearPlan
from ..ops import OPS

MOST = 16
FLOPS, BYTES = 50e9, 10e9  # per second of one thread, from caches of the third level
BARRIER = 1e-6  # seconds, as START: measured in Chromium, see the decision record on threads
START = 1e-4  # a message to every thread and one back
SMALL = 2e-3  # seconds of one thread that are not worth starting others
GAIN = 0.95  # what one more thread may leave of the time


def paying(plan: LinearPlan, pieces: Sequence[int]) -> int:
    """The number of threads beyond which one more takes off too little. `pieces` of each step."""
    costs = list(zip(_seconds(plan), pieces, strict=True))

    def time(threads: int) -> float:
        work = sum(seconds * -(-parts // threads) / parts for seconds, parts in costs)
        return plan.times * (work + (threads > 1) * BARRIER * len(costs)) + (threads > 1) * START

    threads = 1
    if time(1) < SMALL:
        return 1
    while threads < MOST and time(threads + 1) < GAIN * time(threads):
        threads += 1
    return threads


def _seconds(plan: LinearPlan) -> Iterator[float]:
    """Of each step on one thread: its arithmetic or what it moves, whichever takes longer."""
    for step in plan.steps:
        op = OPS.get(step.node.op)
        flops = op.flops(step.node, [t.shape for t in step.inputs]) if op else 0
        moved = sum(4 * prod(t.shape) for t in (*step.inputs, *step.outputs))
        yield max(flops / FLOPS, moved / BYTES)
