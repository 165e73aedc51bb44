"""topk in WebAssembly: a heap of the best k elements so far, whose root is the worst of them, then
heapsort. A row of n elements takes n * log2(k) steps at most.

Elements are compared as integers, their keys: the better of two elements has the greater key. A
heap holds pairs (key, index), i32 each.
"""

from collections.abc import Callable
from functools import partial
from math import prod

from ...emit.layout import Needs, Step
from ...emit.wasm.asm import I32, Function, function
from ...emit.wasm.emitter import Emitter, address
from ...emit.wasm.share import divide, own, share
from ...graph.graph import Graph, Node
from ...ops.topk import TopK

PAIR = 8  # bytes of a key and an index


def needs(node: Node, graph: Graph) -> Needs:
    return Needs(strided=False, scratch=2 * TopK.of(node).k)


def emit(step: Step, e: Emitter) -> None:
    """One call for each row; threads share the rows."""
    (x,), (values, indices), topk = step.inputs, step.outputs, TopK.of(step.node)
    outer, inner = prod(x.shape[: topk.axis]), prod(x.shape[topk.axis + 1 :])
    length, k = x.shape[topk.axis], topk.k
    sift = e.kernel(("topk", "sift"), _build_sift)
    best = e.kernel(("topk", topk.largest), partial(_build, sift, topk.largest))
    heap = own(e, step.scratch, 2 * k)
    with share(e, outer * inner) as (first, many), e.times(many) as i:
        block, column = divide(e, first + i, inner)
        out = block * (4 * k * inner) + column * 4
        e.call(best, heap, block * (4 * length * inner) + column * 4 + address(x),
               out + address(values), out + address(indices), length, k, 4 * inner)


def _build(sift: Function, largest: bool) -> Function:
    """topk(...): the best k of n elements at src, `step` bytes apart, in order."""
    f, p = function("topk", "heap src values indices n k step")
    at, index, slot, left, bits, end = (f.local() for _ in range(6))

    def next_element() -> None:
        f.add_local(at, p.step).add(index, 1)

    f.get(p.src).set(at).get(p.heap).set(slot).get(p.k).i32(PAIR).op("i32.mul").set(end)
    f.get(p.k).set(left)
    with f.times(left):
        f.get(slot)
        _key(f, at, bits, largest)
        f.store("i32.store").get(slot, index).store("i32.store", 4).add(slot, PAIR)
        next_element()
    f.get(p.k).i32(1).op("i32.shr_u").i32(PAIR).op("i32.mul").set(slot)
    _while(f, slot, lambda: f.get(p.heap, slot, end).call(sift), before=True)
    f.get(p.n, p.k).op("i32.sub").tee(left)
    with f.if_(), f.times(left):
        _key(f, at, bits, largest)
        f.tee(bits).get(p.heap).load("i32.load").op("i32.gt_s")
        with f.if_():
            f.get(p.heap, bits).store("i32.store").get(p.heap, index).store("i32.store", 4)
            f.get(p.heap).i32(0).get(end).call(sift)
        next_element()
    f.get(end).i32(PAIR).op("i32.sub").set(slot)
    _while(f, slot, lambda: _take_root(f, p.heap, slot, sift), before=False)
    f.get(p.heap).set(slot).get(p.k).set(left)
    with f.times(left):
        f.get(slot).load("i32.load", 4).set(index)
        f.get(p.values, index, p.step).op("i32.mul").get(p.src).op("i32.add").load("f32.load")
        f.store("f32.store").get(p.indices, index).op("f32.convert_i32_s").store("f32.store")
        f.add_local(p.values, p.step).add_local(p.indices, p.step).add(slot, PAIR)
    return f


def _key(f: Function, at: int, bits: int, largest: bool) -> None:
    """Pushes the key of the f32 at local address `at`.

    The bits of positive numbers are in order, the bits of negative numbers in reverse. Both zeros
    have the key 0. NaN has the greatest key.
    """
    f.get(at).load("i32.load").set(bits)
    f.i32(0x7FFFFFFF)
    f.get(bits, bits).i32(31).op("i32.shr_s").i32(1).op("i32.shr_u", "i32.xor")
    f.get(bits).i32(0x80000000).op("i32.eq", "i32.add")
    f.get(bits).i32(0x7FFFFFFF).op("i32.and").i32(0x7F800000).op("i32.gt_u", "select")
    if not largest:
        f.i32(-1).op("i32.xor")


def _while(f: Function, place: int, body: Callable[[], object], before: bool) -> None:
    """`body` while local `place`, a byte offset in the heap, is not 0. It becomes a pair less each
    time, `before` the body or behind it."""
    f.get(place)
    with f.if_(), f.loop():
        if before:
            f.add(place, -PAIR)
        body()
        if not before:
            f.add(place, -PAIR)
        f.get(place).br_if(0)


def _take_root(f: Function, heap: int, last: int, sift: Function) -> None:
    """Exchanges the root with the pair at offset `last`, and sifts the heap before that."""
    key, index, end = (f.local() for _ in range(3))
    f.get(heap).load("i32.load").set(key).get(heap).load("i32.load", 4).set(index)
    f.get(heap, last).op("i32.add").set(end)
    for offset in (0, 4):
        f.get(heap, end).load("i32.load", offset).store("i32.store", offset)
    f.get(end, key).store("i32.store").get(end, index).store("i32.store", 4)
    f.get(heap).i32(0).get(last).call(sift)


def _build_sift() -> Function:
    """sift(heap, at, end): moves the pair at offset `at` down until no child is worse. `end`: bytes
    of the heap."""
    f, p = function("sift", "heap at end")
    key, index, child_key, child_index, other_key, other_index = f.many(6, I32)
    child, here, there = f.many(3, I32)

    def load(address: int, offset: int, pair: tuple[int, int]) -> None:
        for i, local in enumerate(pair):
            f.get(address).load("i32.load", offset + 4 * i).set(local)

    def store(address: int, pair: tuple[int, int]) -> None:
        for i, local in enumerate(pair):
            f.get(address, local).store("i32.store", 4 * i)

    def worse(a: tuple[int, int], b: tuple[int, int]) -> None:
        """Pushes whether the pair `a` comes behind `b`."""
        f.get(a[0], b[0]).op("i32.lt_s").get(a[0], b[0]).op("i32.eq")
        f.get(a[1], b[1]).op("i32.gt_u", "i32.and", "i32.or")

    own, first, second = (key, index), (child_key, child_index), (other_key, other_index)
    f.get(p.heap, p.at).op("i32.add").set(here)
    load(here, 0, own)
    with f.block(), f.loop():
        f.get(p.at).i32(1).op("i32.shl").i32(PAIR).op("i32.add").tee(child)
        f.get(p.end).op("i32.ge_u").br_if(1)
        f.get(p.heap, child).op("i32.add").set(there)
        load(there, 0, first)
        f.get(child).i32(PAIR).op("i32.add").get(p.end).op("i32.lt_u")
        with f.if_():
            load(there, PAIR, second)
            worse(second, first)
            with f.if_():
                f.add(child, PAIR).add(there, PAIR)
                f.get(other_key).set(child_key).get(other_index).set(child_index)
        worse(first, own)
        f.op("i32.eqz").br_if(1)
        store(here, first)
        f.get(there).set(here).get(child).set(p.at).br(0)
    store(here, own)
    return f
