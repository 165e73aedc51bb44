"""What workers that share no memory tell each other between the phases of a WebAssembly program.

Each has a heap of its own, laid out alike, with all constants and inputs, and does its share of a
phase, or all of it where that takes less time than a message and spares one. What a share reads and writes is
found by running it (emit/wasm_trace.py). From that follows, phase by phase, who holds which
elements, and what a worker must be sent before it goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .emit.wasm_trace import DATA, READ, WRITTEN
from .layout import ELEMENT_BYTES, LinearPlan, Step, Tensor
from .wasmtime_runner import TracedProgram

MESSAGE = 5e-5  # seconds until the other has it; as COPIED, see the decision record
COPIED = 5e9  # bytes per second, into a message or out of it
Spans = list[tuple[int, int]]  # of the heap, in f32 elements


@dataclass(frozen=True)
class Message:
    """From one worker, after its phase `after`, to another, before its phase `before`, or after the
    last. `runs`: (offset, length, count, stride), in elements of the heap."""

    after: int
    before: int
    sender: int
    receiver: int
    runs: tuple[tuple[int, int, int, int], ...]

    @property
    def elements(self) -> int:
        return sum(length * count for _, length, count, _ in self.runs)


@dataclass(frozen=True)
class Exchange:
    """`shared`: which phases the workers share; all do all of the others. In the end worker 0 has
    the outputs. `seconds`: what a run takes by the cost model."""

    workers: int
    shared: tuple[bool, ...]
    messages: tuple[Message, ...]
    seconds: float

    def table(self) -> dict[str, Any]:
        """For the manifest: the phases that all do, and the messages."""
        return {"whole": [i for i, shared in enumerate(self.shared) if not shared],
                "messages": [[m.after, m.before, m.sender, m.receiver, *chain(*m.runs)]
                             for m in self.messages]}


@dataclass(frozen=True)
class _Touched:
    """bool[workers, elements]: what each reads before it writes it, and what it writes."""

    reads: np.ndarray
    writes: np.ndarray

    @property
    def elements(self) -> int:
        return np.count_nonzero(self.reads) + np.count_nonzero(self.writes)

    def whole(self, workers: int) -> "_Touched":
        """Where each does all."""
        return _Touched(*(np.tile(m.any(0), (workers, 1)) for m in (self.reads, self.writes)))


def exchange(plan: LinearPlan, phases: Sequence[int], seconds: Sequence[float],
             program: TracedProgram, workers: int) -> Exchange:
    """For so many workers. `phases` and `seconds` on one of them are those of each step."""
    heaps, shared, messages, total = _Heaps(plan, workers), [], [], 0.0
    for step, count, time in zip(plan.steps, phases, seconds, strict=True):
        part = heaps.open(step)
        found = [_trace(program, len(shared) + k, step, part, workers) for k in range(count)]
        elements = sum(touched.elements for touched in found) or 1
        for touched in found:
            alone, whole = time * touched.elements / elements, touched.whole(workers)
            share = len(touched.reads) > 1 and (
                alone * (1 - 1 / workers) > MESSAGE
                or part.lacks(whole.reads) and not part.lacks(touched.reads))
            touched = touched if share else whole
            sent = part.missing(len(shared), touched.reads)
            part.write(len(shared), touched.writes)
            total += alone / (workers if share else 1) + _transfer(sent)
            messages += sent
            shared.append(share)
        heaps.close(part)
    wanted = heaps.part(_merged(list(map(_extent, plan.outputs)), plan.staging))
    reads = np.zeros(wanted.valid.shape, bool)
    reads[0] = True
    sent = wanted.missing(len(shared), reads)
    return Exchange(workers, tuple(shared), (*messages, *sent), total + _transfer(sent))


def _transfer(messages: Sequence[Message]) -> float:
    """Seconds that the worker which receives most waits."""
    received = [0] * (1 + max((m.receiver for m in messages), default=0))
    for m in messages:
        received[m.receiver] += ELEMENT_BYTES["f32"] * m.elements
    return MESSAGE + 2 * max(received) / COPIED if messages else 0.0


def _trace(program: TracedProgram, phase: int, step: Step, part: "_Part", workers: int
           ) -> _Touched:
    """By worker; as one alone, where several would wait for each other inside the phase."""
    found = [program.phase(phase, i, workers, part.spans) for i in range(workers)]
    if any(marks is None for marks in found):
        found = [program.phase(phase, 0, 1, part.spans)]
    marks = np.stack(found)
    touched = _Touched(marks & READ > 0, marks & WRITTEN > 0)
    if step.node.op in DATA:
        lo, hi = _extent(step.inputs[0])
        touched.reads[:, (part.where >= lo) & (part.where < hi)] = True
    return touched


# --- who holds what ------------------------------------------------------------------------------


@dataclass
class _Part:
    """The heaps' elements in `spans`, one after the other. bool[workers, elements]: `valid`, a
    worker holds the element as it is now; `made`, it has written it itself; `born`: the phase in
    which an element was written last."""

    spans: Spans
    where: np.ndarray
    valid: np.ndarray
    made: np.ndarray
    born: np.ndarray

    def lacks(self, reads: np.ndarray) -> bool:
        """Whether a worker reads what it does not hold and another has written."""
        return bool((reads & ~self.valid & self.made.any(0)).any())

    def missing(self, phase: int, reads: np.ndarray) -> list[Message]:
        """What workers must be sent before `phase`, in which they read that. What nobody has
        written holds nothing that a result depends on."""
        messages = []
        for receiver, read in enumerate(reads):
            wanted = read & ~self.valid[receiver]
            for sender, made in enumerate(self.made):
                sent = wanted & made
                if sent.any():
                    after = int(self.born[sent].max())
                    messages.append(Message(after, phase, sender, receiver,
                                            _runs(self.where[sent])))
                    self.valid[receiver] |= sent
                    wanted &= ~sent
        return messages

    def write(self, phase: int, writes: np.ndarray) -> None:
        anyone = writes.any(0)
        self.valid[:, anyone] = self.made[:, anyone] = writes[:, anyone]
        self.born[anyone] = phase


class _Heaps:
    """Those of all workers, when all have the constants and inputs."""

    def __init__(self, plan: LinearPlan, workers: int) -> None:
        self.start = plan.staging
        self.valid = np.zeros((workers, plan.elements - self.start), bool)
        self.made = np.zeros_like(self.valid)
        self.born = np.full(self.valid.shape[1], -1, np.int32)
        self.seen: set[str] = set()
        for t in plan.inputs:
            lo, hi = _extent(t)
            self.valid[:, lo - self.start : hi - self.start] = True

    def open(self, step: Step) -> _Part:
        """What `step` may touch. Its scratch holds nothing yet, nor does a new tensor."""
        fresh = [(step.scratch, step.scratch + step.room)] if step.room else []
        fresh += [_extent(t) for t in step.outputs if t.name not in self.seen]
        self.seen.update(t.name for t in step.outputs)
        for lo, hi in fresh:
            self.valid[:, lo - self.start : hi - self.start] = False
            self.made[:, lo - self.start : hi - self.start] = False
        return self.part(_merged([*map(_extent, (*step.inputs, *step.outputs)), *fresh],
                                 self.start))

    def part(self, spans: Spans) -> _Part:
        cut = [slice(lo - self.start, hi - self.start) for lo, hi in spans]
        where = [np.arange(lo, hi, dtype=np.int32) for lo, hi in spans]
        return _Part(spans, np.concatenate([np.zeros(0, np.int32), *where]), *(
            np.concatenate([a[..., :0], *(a[..., c] for c in cut)], -1)
            for a in (self.valid, self.made, self.born)))

    def close(self, part: _Part) -> None:
        at = 0
        for lo, hi in part.spans:
            here, there = slice(at, at + hi - lo), slice(lo - self.start, hi - self.start)
            for mine, parts in ((self.valid, part.valid), (self.made, part.made),
                                (self.born, part.born)):
                mine[..., there] = parts[..., here]
            at += hi - lo


def _extent(t: Tensor) -> tuple[int, int]:
    """The elements that `t` lies in, with its halo."""
    per = ELEMENT_BYTES["f32"] // t.storage.bytes
    last = t.offset + sum((n - 1) * s for n, s in zip(t.shape, t.strides, strict=True))
    return min(t.base, t.offset // per), max(t.base + t.size, last // per + 1)


def _merged(spans: Sequence[tuple[int, int]], start: int) -> Spans:
    """In order, those that touch as one, without constants, which lie before `start`."""
    merged: Spans = []
    for lo, hi in sorted(span for span in spans if span[0] >= start):
        if merged and lo <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(hi, merged[-1][1]))
        else:
            merged.append((lo, hi))
    return merged


def _runs(where: np.ndarray) -> tuple[tuple[int, int, int, int], ...]:
    """Ascending indices as runs; those of one length and distance together."""
    cuts = np.flatnonzero(np.diff(where) != 1) + 1
    starts = where[np.r_[0, cuts]]
    lengths = np.diff(np.r_[0, cuts, where.size])
    runs: list[list[int]] = []
    for offset, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        if runs and runs[-1][1] == length:
            first, _, count, stride = runs[-1]
            if count == 1 or offset == first + count * stride:
                runs[-1][2:] = count + 1, stride if count > 1 else offset - first
                continue
        runs.append([offset, length, 1, 0])
    return tuple(map(tuple, runs))
