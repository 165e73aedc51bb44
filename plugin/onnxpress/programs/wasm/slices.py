"""Batches in slices: the program takes a few samples through all steps, then the next ones.

It does so where the values of a whole batch would leave the caches.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod

from ...emit.layout import ALIGN, SLACK, LinearPlan, Slices, Tensor, round_up
from ...emit.wasm.asm import I32, Function
from ...emit.wasm.emitter import PART, PARTS, address
from ...graph.graph import Graph
from ...ops.batch import take_samples
from ..plan import plan_linear
from .chains import fuse_chains

# Bytes of a batch's values, from which on caches do not hold them. Measured: decision 18.
LARGE = 3 << 20


def plan_slices(graph: Graph) -> LinearPlan:
    """The plan of `graph` with its chains, in slices where that pays."""
    whole = plan_linear(fuse_chains(graph), "wasm")
    if 4 * (whole.elements - whole.staging) <= LARGE or not (one := take_samples(graph, 1)):
        return whole
    batch, count = graph.shape(graph.inputs[0])[0], _samples(one)
    count = next(n for n in range(min(count, batch), batch + 1) if batch % n == 0)
    samples = take_samples(graph, count) if count < batch else None
    if samples is None:
        return whole
    plan = plan_linear(fuse_chains(samples), "wasm")
    end, ports = plan.elements, []
    for t, outer in zip((*plan.inputs, *plan.outputs), (*whole.inputs, *whole.outputs),
                        strict=True):
        size = prod(outer.shape)
        ports.append(replace(t, shape=outer.shape, offset=end, base=end, size=size))
        end = round_up(end + size + SLACK, ALIGN)
    many = len(plan.inputs)
    return replace(plan, inputs=tuple(ports[:many]), outputs=tuple(ports[many:]), elements=end,
                   slices=Slices(batch // count, plan.inputs, plan.outputs))


def _samples(one: Graph) -> int:
    """How many samples a slice needs so that its steps move as much in values as in constants, one
    at least.

    Every slice reads the constants again. `one`: the graph for one sample.
    """
    moved = sum(prod(one.shape(name)) for node in one.nodes
                for name in (*node.inputs, *node.outputs) if name not in one.constants)
    return max(1, -(-sum(c.size for c in one.constants.values()) // max(1, moved)))


@contextmanager
def each_slice(plan: LinearPlan, run: Function, barrier: Function) -> Iterator[None]:
    """Emits a loop over the slices into `run`, around the code that is emitted inside.

    The first thread copies a slice's inputs to the place where the steps read them, and its outputs
    from the place where the steps write them.
    """
    if not plan.slices:
        yield
        return
    at, left = run.many(2, I32)
    run.i32(plan.slices.count).set(left)
    with run.times(left):
        for t, outer in zip(plan.slices.inputs, plan.inputs, strict=True):
            _copy(run, at, (address(t), 0), (address(outer), 1), t)
        run.get(PARTS).call(barrier)
        yield
        run.get(PARTS).call(barrier)
        for t, outer in zip(plan.slices.outputs, plan.outputs, strict=True):
            _copy(run, at, (address(outer), 1), (address(t), 0), t)
        run.add(at, 1)


def _copy(run: Function, at: int, target: tuple[int, int], source: tuple[int, int],
          t: Tensor) -> None:
    """Copies a slice `t`. `target`, `source`: (address, whether it is the address of the first of
    all slices)."""
    size = 4 * prod(t.shape)
    run.get(PART).op("i32.eqz")
    with run.if_():
        for start, sliced in (target, source):
            run.i32(start)
            if sliced:
                run.get(at).i32(size).op("i32.mul", "i32.add")
        run.i32(size).op("memory.copy")
