"""How many threads, or workers that share no memory, a program is worth: the plan's cost model."""

from collections.abc import Iterator, Sequence
from math import prod

from ...emit.layout import LinearPlan
from ...ops import OPS
from .exchange import Exchange

MOST = 16
FLOPS, BYTES = 50e9, 10e9  # per second of one thread, from caches of the third level
BARRIER = 1e-6  # seconds, as START: measured in Chromium, see the decision record on threads
START = 1e-4  # a message to every thread and one back
SMALL = 2e-3  # seconds of one thread that are not worth starting others
GAIN = 0.95  # what one more thread may leave of the time
MOST_WORKERS = 2  # what more would tell each other takes builds as long again for each
SMALL_ALONE = 6e-3  # seconds of one thread that are not worth a heap for each worker
GAIN_ALONE = 0.75  # what two workers may leave: they hold twice the memory
HEAPS = 1 << 29  # bytes in all; the page holds the downloaded weights besides


def paying(plan: LinearPlan, pieces: Sequence[int]) -> int:
    """The number of threads beyond which one more takes off too little. `pieces` of each step."""
    costs = list(zip(seconds(plan), pieces, strict=True))

    def time(threads: int) -> float:
        work = sum(alone * -(-parts // threads) / parts for alone, parts in costs)
        return plan.times * (work + (threads > 1) * BARRIER * len(costs)) + (threads > 1) * START

    threads = 1
    if time(1) < SMALL:
        return 1
    while threads < MOST and time(threads + 1) < GAIN * time(threads):
        threads += 1
    return threads


def worth_workers(plan: LinearPlan) -> bool:
    """Whether two workers that share no memory are worth a closer look."""
    return sum(seconds(plan)) >= SMALL_ALONE and 2 * 4 * plan.elements <= HEAPS


def paying_workers(plan: LinearPlan, found: Sequence[Exchange]) -> int:
    """The number of workers beyond which one more takes off too little or needs too much memory.
    `found`: for 2 and more of them."""
    workers, best = 1, GAIN_ALONE * sum(seconds(plan))
    for x in found:
        if START + x.seconds >= best or x.workers * 4 * plan.elements > HEAPS:
            break
        workers, best = x.workers, GAIN * (START + x.seconds)
    return workers


def seconds(plan: LinearPlan) -> Iterator[float]:
    """Of each step on one thread: its arithmetic or what it moves, whichever takes longer."""
    for step in plan.steps:
        flops = OPS[step.node.op].flops(step.node, [t.shape for t in step.inputs])
        moved = sum(4 * prod(t.shape) for t in (*step.inputs, *step.outputs))
        yield max(flops / FLOPS, moved / BYTES)
