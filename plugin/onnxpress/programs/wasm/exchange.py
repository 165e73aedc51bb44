"""The messages of workers that share no memory, between the phases of a WebAssembly program.

Each worker has a heap of its own with all constants and inputs; all heaps are laid out alike. A
worker does its share of a phase, or the whole phase where that takes less time than a message.
programs/wasm/trace.py runs each share to find the elements that it reads and writes. From these
follows, phase by phase, which worker holds which elements, and which messages it needs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...emit.layout import LinearPlan, Step, Tensor
from ...graph.storage import ELEMENT_BYTES
from ...ops import OPS
from ...run.wasmtime import TracedProgram
from .trace import READ, WRITTEN

MESSAGE = 1e-4  # seconds until the receiver has it; measured, as COPIED: decision 17
COPIED = 5e9  # bytes per second, into a message or out of it
EACH = np.uint32(0x01010101)  # one bit in each of an element's four bytes
WORKER, ELEMENT = 0, 1  # the axes of each array bool[workers, elements] below
Spans = list[tuple[int, int]]  # (first, end) of a part of the heap, in f32 elements


@dataclass(frozen=True)
class Message:
    """Elements that worker `sender` sends to `receiver`, after the sender's phase `after` and
    before the receiver's phase `before` (or at the end). `runs`: (offset, length, count, stride),
    in elements of the heap."""

    after: int
    before: int
    sender: int
    receiver: int
    runs: tuple[tuple[int, int, int, int], ...]

    @property
    def elements(self) -> int:
        """How many elements the message holds."""
        return sum(length * count for _, length, count, _ in self.runs)


@dataclass(frozen=True)
class Exchange:
    """The messages of one run. `shared[i]`: whether the workers share phase i; else each does all
    of it. `seconds`: a run's time by the cost model. At the end worker 0 has the outputs."""

    workers: int
    shared: tuple[bool, ...]
    messages: tuple[Message, ...]
    seconds: float

    def numbers(self) -> Iterator[int]:
        """The numbers that runtime/targets/wasm/exchange.js reads.

        Phases and offsets are stored as differences, so equal layers give equal numbers, which
        compress well.
        """
        whole = [i for i, shared in enumerate(self.shared) if not shared]
        yield from (self.workers, len(whole))
        yield from np.diff(whole, prepend=0).tolist()
        yield len(self.messages)
        phase = at = 0
        for m in self.messages:
            yield from (m.before - phase, m.before - m.after, m.sender, m.receiver, len(m.runs))
            phase = m.before
            for offset, *others in m.runs:
                yield from (offset - at, *others)
                at = offset


@dataclass(frozen=True)
class _Touched:
    """What workers do to the heap's elements from `start` on, in arrays bool[workers, elements].

    `reads`: the worker reads the element before it writes it. `writes`: it writes the element.
    """

    start: int
    reads: np.ndarray
    writes: np.ndarray

    @property
    def elements(self) -> int:
        """How many elements all workers read and write together."""
        return int(np.count_nonzero(self.reads) + np.count_nonzero(self.writes))

    def whole(self, workers: int) -> "_Touched":
        """The same phase if every worker does all of it."""
        reads, writes = (np.tile(marks.any(axis=WORKER), (workers, 1))
                         for marks in (self.reads, self.writes))
        return _Touched(self.start, reads, writes)


def exchange(plan: LinearPlan, phases: Sequence[int], seconds: Sequence[float],
             program: TracedProgram, workers: int) -> Exchange:
    """The messages between `workers` workers. `phases` and `seconds`: for each step, its number of
    phases and its time on one worker."""
    heaps, shared, messages, total = _Heaps(plan, workers), [], [], 0.0
    for step, count, time in zip(plan.steps, phases, seconds, strict=True):
        spans = heaps.open(step)
        program.forget(plan.staging)
        found = [_trace(program, len(shared) + k, step, spans, workers) for k in range(count)]
        sizes = [sum(t.elements for t in touched) for touched in found]
        for touched, size in zip(found, sizes, strict=True):
            alone, largest = time * size / max(1, sum(sizes)), _largest_share(touched)
            share = alone * (1 - largest) > MESSAGE
            if not share:
                whole = [t.whole(workers) for t in touched]
                share = largest < 1 and heaps.lack(whole) and not heaps.lack(touched)
                touched = touched if share else whole
            sent = heaps.missing(len(shared), touched)
            heaps.write(len(shared), touched)
            total += alone * (largest if share else 1) + _transfer(sent)
            messages += sent
            shared.append(share)
    sent = heaps.missing(len(shared), [_wanted(t, workers) for t in plan.outputs
                                       if t.base >= plan.staging])
    return Exchange(workers, tuple(shared), (*messages, *sent), total + _transfer(sent))


def _largest_share(touched: Sequence[_Touched]) -> float:
    """The largest worker's share of the elements that exactly one worker writes; 1.0 if there is
    none.

    Scratch, which every worker writes, does not count.
    """
    per_worker = np.zeros(1)  # f64[workers]: elements that this worker alone writes
    for t in touched:
        alone = t.writes & (np.count_nonzero(t.writes, axis=WORKER) == 1)
        per_worker = per_worker + np.count_nonzero(alone, axis=ELEMENT)
    return float(per_worker.max() / per_worker.sum()) if per_worker.any() else 1.0


def _wanted(t: Tensor, workers: int) -> _Touched:
    """The elements of an output, which worker 0 reads."""
    lo, hi = extent(t)
    reads = np.zeros((workers, hi - lo), bool)
    reads[0] = True
    return _Touched(lo, reads, np.zeros_like(reads))


def _transfer(messages: Sequence[Message]) -> float:
    """Seconds that the worker with the most received bytes waits."""
    received = [0] * (1 + max((m.receiver for m in messages), default=0))
    for m in messages:
        received[m.receiver] += ELEMENT_BYTES["f32"] * m.elements
    return MESSAGE + 2 * max(received) / COPIED if messages else 0.0


def _trace(program: TracedProgram, phase: int, step: Step, spans: Spans, workers: int
           ) -> list[_Touched]:
    """The elements of `spans` that each worker's share of a phase touches.

    Shares may wait for each other inside the phase. Then every worker does all of it.
    """
    shares = [program.phase(phase, i, workers, spans) for i in range(workers)]
    found = [marks for marks in shares if marks is not None]
    if len(found) < workers:
        found = [program.phase(phase, 0, 1, spans) or []] * workers
    touched = []
    for i, (lo, hi) in enumerate(spans):
        marks = [of_worker[i] for of_worker in found]
        if all(m is None for m in marks):
            continue
        reads, writes = (
            np.stack([np.zeros(hi - lo, bool) if m is None else m & bit * EACH > 0 for m in marks])
            for bit in (READ, WRITTEN))
        for operand in OPS[step.node.op].reads_by_data:
            first, end = (max(0, n - lo) for n in extent(step.inputs[operand]))
            reads[:, first:end] = True
        touched.append(_Touched(lo, reads, writes))
    return touched


# --- who holds which elements ----------------------------------------------------------------


class _Heaps:
    """The heaps of all workers, which start with the constants and inputs.

    `valid` bool[workers, elements]: the worker holds the element's current value. `made`
    bool[workers, elements]: the worker itself has written that value. `born` i32[elements]: the
    phase in which the element was written last, or -1.
    """

    def __init__(self, plan: LinearPlan, workers: int) -> None:
        self.workers, self.start = workers, plan.staging
        self.valid = np.zeros((workers, plan.elements - self.start), bool)
        self.made = np.zeros_like(self.valid)
        self.born = np.full(self.valid.shape[1], -1, np.int32)
        self.seen: set[str] = set()
        for t in plan.inputs:
            self.valid[:, self._part(*extent(t))] = True

    def open(self, step: Step) -> Spans:
        """The spans that `step` may touch. Its scratch, and a new tensor, hold nothing yet."""
        fresh = [(step.scratch, step.scratch + step.room)] if step.room else []
        fresh += [extent(t) for t in step.outputs if (t.whole or t.name) not in self.seen]
        self.seen.update(t.whole or t.name for t in step.outputs)
        for span in fresh:
            self.valid[:, self._part(*span)] = self.made[:, self._part(*span)] = False
        spans = [*map(extent, (*step.inputs, *step.outputs)), *fresh]
        return _merged([span for span in spans if span[0] >= self.start])

    def lack(self, touched: Sequence[_Touched]) -> bool:
        """Whether a worker reads an element that only another worker has written."""
        return any((t.reads & ~self.valid[:, at] & self.made[:, at].any(axis=WORKER)).any()
                   for t in touched for at in [self._of(t)])

    def missing(self, phase: int, touched: Sequence[_Touched]) -> list[Message]:
        """The messages that workers need before `phase`, which reads `touched`.

        No result depends on an element that no worker has written.
        """
        messages = []
        for receiver in range(self.workers):
            for sender in range(self.workers):
                sent = [np.flatnonzero(t.reads[receiver] & ~self.valid[receiver, self._of(t)]
                                       & self.made[sender, self._of(t)]) + t.start for t in touched]
                where = np.concatenate([np.zeros(0, np.int64), *sent])
                if where.size:
                    after = int(self.born[where - self.start].max())
                    messages.append(Message(after, phase, sender, receiver, _runs(where)))
                    self.valid[receiver, where - self.start] = True
        return messages

    def write(self, phase: int, touched: Sequence[_Touched]) -> None:
        """Notes what `phase` writes: only its writers hold the new values."""
        for t in touched:
            anyone = t.writes.any(axis=WORKER)
            for held in (self.valid[:, self._of(t)], self.made[:, self._of(t)]):
                np.copyto(held, t.writes, where=anyone)
            self.born[self._of(t)][anyone] = phase

    def _of(self, t: _Touched) -> slice:
        return self._part(t.start, t.start + t.reads.shape[1])

    def _part(self, lo: int, hi: int) -> slice:
        return slice(lo - self.start, hi - self.start)


def extent(t: Tensor) -> tuple[int, int]:
    """The f32 elements that `t` occupies, halo included: (first, end)."""
    per = ELEMENT_BYTES["f32"] // t.storage.bytes
    last = t.offset + sum((n - 1) * s for n, s in zip(t.shape, t.strides, strict=True))
    return min(t.base, t.offset // per), max(t.base + t.size, last // per + 1)


def _merged(spans: Spans) -> Spans:
    """The spans in order; spans that touch become one."""
    merged: Spans = []
    for lo, hi in sorted(spans):
        if merged and lo <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(hi, merged[-1][1]))
        else:
            merged.append((lo, hi))
    return merged


def _runs(where: np.ndarray) -> tuple[tuple[int, int, int, int], ...]:
    """Ascending indices as runs (offset, length, count, stride); equal runs at equal distances
    become one."""
    cuts = np.flatnonzero(np.diff(where) != 1) + 1
    starts = where[np.r_[0, cuts]]
    lengths = np.diff(np.r_[0, cuts, where.size])
    runs: list[tuple[int, int, int, int]] = []
    for offset, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        if runs and runs[-1][1] == length:
            first, _, count, stride = runs[-1]
            if count == 1 or offset == first + count * stride:
                runs[-1] = first, length, count + 1, stride if count > 1 else offset - first
                continue
        runs.append((offset, length, 1, 0))
    return tuple(runs)
