"""How many threads, or workers that share no memory, pay by the plan's cost model."""

from collections.abc import Iterator, Sequence
from math import prod

from ...emit.layout import LinearPlan
from ...ops import OPS
from .exchange import Exchange

MOST = 16  # threads; chosen, not measured
# Floating-point operations and bytes per second of one thread, chosen by trial. No measurement of
# the bytes is recorded. The times in decision 14 give 74e9 operations per second for ResNet-50 (8.2
# GFLOP in 111 ms) and 47e9 for MobileNetV2 (0.6 GFLOP in 12.7 ms).
FLOPS, BYTES = 50e9, 10e9
BARRIER = 1e-6  # seconds; measured in Chromium, as START: decision 14
START = 1e-4  # seconds of a message to every thread and one back
SMALL = 2e-3  # seconds; a shorter run is not worth further threads
GAIN = 0.95  # one more thread must bring the time below this part of it; chosen by trial
MOST_WORKERS = 2  # for each further one, finding the messages takes the whole time again
SMALL_ALONE = 6e-3  # seconds; a shorter run is not worth a heap for each worker
GAIN_ALONE = 0.75  # two workers, with twice the memory, must bring the time below this part
HEAPS = 1 << 29  # bytes of all heaps; the page holds the downloaded weights besides


def paying(plan: LinearPlan, pieces: Sequence[int]) -> int:
    """The number of threads beyond which one more saves too little. `pieces`: of each step."""
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
    """Whether two workers that share no memory may pay, so that their messages should be found."""
    return sum(seconds(plan)) >= SMALL_ALONE and 2 * 4 * plan.elements <= HEAPS


def paying_workers(plan: LinearPlan, found: Sequence[Exchange]) -> int:
    """The number of workers beyond which one more saves too little or needs too much memory.
    `found`: the exchanges of 2 and more workers."""
    workers, best = 1, GAIN_ALONE * sum(seconds(plan))
    for x in found:
        if START + x.seconds >= best or x.workers * 4 * plan.elements > HEAPS:
            break
        workers, best = x.workers, GAIN * (START + x.seconds)
    return workers


def seconds(plan: LinearPlan) -> Iterator[float]:
    """Each step's time on one thread: its arithmetic or its memory traffic, the longer one."""
    for step in plan.steps:
        flops = OPS[step.node.op].flops(step.node, [t.shape for t in step.inputs])
        moved = sum(4 * prod(t.shape) for t in (*step.inputs, *step.outputs))
        yield max(flops / FLOPS, moved / BYTES)
